"""The sandbox carrier as a Django app with a database of its own."""

from django.apps import AppConfig


class SandboxCarrierConfig(AppConfig):
    name = "shipping.carriers.sandbox"
    label = "carrier"
    verbose_name = "sandbox carrier"
