"""Payments as a Django app."""

from django.apps import AppConfig

from orchestration.participant.adapters import bad_adapters_end_the_process


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        with bad_adapters_end_the_process():
            from payments import tasks  # noqa: F401  registers the participant
