"""The recovery loop in every worker that consumes the orchestrator's queue."""

import threading
from typing import Any

from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings

from orchestration import recovery
from orchestration.topology import ORCHESTRATOR

_stopped = threading.Event()


@worker_ready.connect  # type: ignore[untyped-decorator]
def start_recovery(sender: Any, **_: Any) -> None:
    """Start the loop beside the consumer; it ends with the process."""
    if settings.TOPOLOGY.name(ORCHESTRATOR) not in sender.app.amqp.queues.consume_from:
        return
    threading.Thread(target=recovery.run_forever, args=(_stopped,), name="recovery", daemon=True).start()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def stop_recovery(**_: Any) -> None:
    """Let the round under way be the last."""
    _stopped.set()
