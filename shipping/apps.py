"""Shipping as a Django app."""

from django.apps import AppConfig


class ShippingConfig(AppConfig):
    name = "shipping"

    def ready(self) -> None:
        from shipping import tasks  # noqa: F401  registers the participant
