"""The inventory service as a Django app."""

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "inventory"
    label = "inventory"

    def ready(self) -> None:
        from inventory import tasks  # noqa: F401  registers the participant
