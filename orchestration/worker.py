"""What runs in a worker beside its tasks: loops that end with its process, and word of the sagas that have ended."""

import threading
from collections.abc import Callable
from typing import Any

from celery.signals import worker_init, worker_ready, worker_shutting_down
from django.conf import settings

from orchestration.engine import completion_events, recovery
from orchestration.messaging import unfinished, worker_ping
from orchestration.messaging.topology import ORCHESTRATOR
from orchestration.operators.actions import batch_loop, outcome_watcher
from orchestration.operators.audit import registry, schedule
from orchestration.participant import reconciliation
from orchestration.participant.participant import participants
from orchestration.telemetry import redis_counts

_stopped = threading.Event()


@worker_init.connect  # type: ignore[untyped-decorator]
def start_handing_over_counts(**_: Any) -> None:
    """Start it before a pool forks."""
    redis_counts.start()


@worker_init.connect  # type: ignore[untyped-decorator]
def answer_roll_calls(**_: Any) -> None:
    """Say what it consumes and what time it has, whenever somebody asks."""
    worker_ping.register()


@worker_init.connect  # type: ignore[untyped-decorator]
def tell_markers_what_is_held(**_: Any) -> None:
    """Make this worker note the messages that it holds whenever a marker passes a queue."""
    unfinished.register()


@worker_init.connect  # type: ignore[untyped-decorator]
def announce_ends(**_: Any) -> None:
    """Before a pool forks, so that its processes do it, too."""
    completion_events.announce_ends()


@worker_ready.connect  # type: ignore[untyped-decorator]
def start_recovery(sender: Any, **_: Any) -> None:
    """Start it in every worker that consumes the orchestrator's queue."""
    if _consumes(sender, ORCHESTRATOR):
        _start("recovery", recovery.run_forever, _stopped)


@worker_ready.connect  # type: ignore[untyped-decorator]
def start_serving_operators(sender: Any, **_: Any) -> None:
    """Start what does it in every worker that consumes the orchestrator's queue."""
    if _consumes(sender, ORCHESTRATOR):
        _start("observing of operators' actions", outcome_watcher.run_forever, _stopped)
        _start("batches of operators' actions", batch_loop.run_forever, _stopped)


@worker_ready.connect  # type: ignore[untyped-decorator]
def start_audits(sender: Any, **_: Any) -> None:
    """Start them in every worker that consumes the orchestrator's queue, unless there are to be none."""
    if _consumes(sender, ORCHESTRATOR) and settings.AUDIT_PERIOD and registry.is_registered():
        _start("audits", schedule.run_forever, _stopped)


@worker_ready.connect  # type: ignore[untyped-decorator]
def start_settling(sender: Any, **_: Any) -> None:
    """Start it in every worker that consumes the queue of a service that calls outside."""
    for participant in participants().values():
        if reconciliation.commands_outside(participant) and _consumes(sender, participant.service):
            _start(f"settling of {participant.service}", reconciliation.run_forever, participant, _stopped)


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def stop(**_: Any) -> None:
    """Let the rounds under way be the last."""
    _stopped.set()


def _consumes(sender: Any, queue: str) -> bool:
    return settings.TOPOLOGY.name(queue) in sender.app.amqp.queues.consume_from


def _start(name: str, loop: Callable[..., None], *args: Any) -> None:
    threading.Thread(target=loop, args=args, name=name, daemon=True).start()
