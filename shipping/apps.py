"""Shipping as a Django app."""

from django.apps import AppConfig

from orchestration.participant.adapters import bad_adapters_end_the_process


class ShippingConfig(AppConfig):
    name = "shipping"

    def ready(self) -> None:
        with bad_adapters_end_the_process():
            from shipping import tasks  # noqa: F401  registers the participant
