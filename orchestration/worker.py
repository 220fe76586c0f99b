"""Loops that run in a worker beside its tasks and end with its process, and events of sagas that ended."""

import threading
from collections.abc import Callable
from typing import Any

from celery.signals import worker_init, worker_ready, worker_shutting_down
from django.conf import settings

from orchestration.engine import completion_events, recovery
from orchestration.messaging import unfinished, worker_ping
from orchestration.messaging.topology import ORCHESTRATOR
from orchestration.operators.actions import batch_loop, outcome_watcher
from orchestration.operators.audit import schedule
from orchestration.participant import reconciliation
from orchestration.participant.participant import participants
from orchestration.telemetry import redis_counts

_stopped = threading.Event()


@worker_init.connect  # type: ignore[untyped-decorator]
def start_handing_over_counts(**_: Any) -> None:
    """Start the hand-over of counts before a pool forks."""
    redis_counts.start()


@worker_init.connect  # type: ignore[untyped-decorator]
def answer_worker_pings(**_: Any) -> None:
    """Answer pings with the queues that this worker consumes and its time."""
    worker_ping.register()


@worker_init.connect  # type: ignore[untyped-decorator]
def note_unfinished_messages(**_: Any) -> None:
    """Make this worker note its unfinished messages whenever a marker passes a queue."""
    unfinished.register()


@worker_init.connect  # type: ignore[untyped-decorator]
def announce_ends(**_: Any) -> None:
    """Register for ended sagas before a pool forks, so that its processes announce them, too."""
    completion_events.announce_ends()


@worker_ready.connect  # type: ignore[untyped-decorator]
def start_recovery(sender: Any, **_: Any) -> None:
    """Start recovery in every worker that consumes the orchestrator's queue."""
    if _consumes(sender, ORCHESTRATOR):
        _start("recovery", recovery.run_forever, _stopped)


@worker_ready.connect  # type: ignore[untyped-decorator]
def start_serving_operators(sender: Any, **_: Any) -> None:
    """Start the loops for operators' actions in every worker that consumes the orchestrator's queue."""
    if _consumes(sender, ORCHESTRATOR):
        _start("observing of operators' actions", outcome_watcher.run_forever, _stopped)
        _start("batches of operators' actions", batch_loop.run_forever, _stopped)


@worker_ready.connect  # type: ignore[untyped-decorator]
def start_audits(sender: Any, **_: Any) -> None:
    """Start audits in every worker that consumes the orchestrator's queue, unless they are turned off."""
    if _consumes(sender, ORCHESTRATOR) and settings.AUDIT_PERIOD:
        _start("audits", schedule.run_forever, _stopped)


@worker_ready.connect  # type: ignore[untyped-decorator]
def start_reconciliation(sender: Any, **_: Any) -> None:
    """Start reconciliation in every worker that consumes the queue of a service with external calls."""
    for participant in participants().values():
        if reconciliation.external_commands(participant) and _consumes(sender, participant.service):
            _start(f"settling of {participant.service}", reconciliation.run_forever, participant, _stopped)


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def stop(**_: Any) -> None:
    """Stop the loops after their current round."""
    _stopped.set()


def _consumes(sender: Any, queue: str) -> bool:
    return settings.TOPOLOGY.name(queue) in sender.app.amqp.queues.consume_from


def _start(name: str, loop: Callable[..., None], *args: Any) -> None:
    threading.Thread(target=loop, args=args, name=name, daemon=True).start()
