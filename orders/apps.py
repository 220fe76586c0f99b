"""The orders service as a Django app."""

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"
    label = "orders"

    def ready(self) -> None:
        from orders import tasks  # noqa: F401  registers the participant
