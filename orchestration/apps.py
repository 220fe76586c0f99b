"""Orchestration as a Django app: registers its checks, tasks and worker loops."""

from django.apps import AppConfig
from django.conf import settings


class OrchestrationApp(AppConfig):
    name = "orchestration"

    def ready(self) -> None:
        from orchestration import checks, tasks, worker  # noqa: F401  they register themselves
        from orchestration.telemetry import signal_receivers

        signal_receivers.listen()
        if settings.TRACES:
            from orchestration.telemetry import tracing

            tracing.start()
