"""The process as a Django app: commands that cross services, the audit that does, and checks of the whole."""

from django.apps import AppConfig


class ConfigApp(AppConfig):
    name = "config"

    def ready(self) -> None:
        from orchestration.operators.audit import portions as auditor
        from orchestration.operators.audit import registry

        registry.register(auditor)
