"""Orchestration as a Django app."""

from django.apps import AppConfig


class OrchestrationApp(AppConfig):
    name = "orchestration"

    def ready(self) -> None:
        from orchestration import checks, tasks, worker  # noqa: F401  they register themselves
        from orchestration.telemetry import listening

        listening.listen()
