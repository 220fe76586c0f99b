"""The sandbox gateway as a Django app with a database of its own."""

from django.apps import AppConfig


class SandboxGatewayConfig(AppConfig):
    name = "payments.gateways.sandbox"
    label = "gateway"
    verbose_name = "sandbox gateway"
