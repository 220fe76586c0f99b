"""The watcher of operators' actions: it finds the outcome of each action and records it once.

It works for a caller that waits, and in a loop.
The loop runs in every orchestrator worker. If several workers see the same outcome, the first one records it.
"""

import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from orchestration.db import clocks
from orchestration.db.bisection import HITS_ALL
from orchestration.execution.periodic import run_periodically
from orchestration.models import ALIAS, OperatorLogEntry, SagaInstance, SagaLogEntry
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions.outcome import LogLine, Now, Observation, Observed, outcome_of
from orchestration.operators.insight.why import why
from orchestration.protocol.states import Kind, Phase

logger = logging.getLogger(__name__)

OBSERVED_WITHIN = timedelta(minutes=10)
"""After this time "still waiting, because …" is recorded as the outcome."""

LOOK_EVERY = timedelta(milliseconds=200)
"""The interval between checks while a caller waits."""

BATCH = 100
OPEN = "open"
"""What an entry shows while its outcome is not observed. It is not stored."""


def observe(entry: OperatorLogEntry, patience: timedelta) -> OperatorLogEntry:
    """Wait for the outcome of the action, record it, and return the entry with it.

    If `patience` ends first, nothing is stored. The returned entry then says `OPEN` and why, its `observed_at` is None,
    and the workers' loop continues to watch it.
    """
    until = time.monotonic() + patience.total_seconds()
    while (entry := _read(entry.pk)).observed_at is None and not _look([entry], clocks.now()):
        if time.monotonic() >= until:
            entry.observed, entry.observed_detail = OPEN, _still_waiting(entry)
            return entry
        time.sleep(LOOK_EVERY.total_seconds())
    return _read(entry.pk)


def run_once(*, now: datetime | None = None) -> int:
    """Check every entry whose outcome is open, once. Return how many outcomes were observed."""
    entries = OperatorLogEntry.objects.using(ALIAS).filter(observed_at__isnull=True).order_by("pk")
    observed, last = 0, 0
    while batch := list(entries.filter(pk__gt=last)[:BATCH]):
        observed += _look(batch, now or clocks.now())
        last = batch[-1].pk
    return observed


def run_forever(stopped: threading.Event) -> None:
    """Run a round every `RECOVERY_PERIOD` until `stopped`. During an outage, wait and try again."""
    run_periodically(stopped, run_once, every=settings.RECOVERY_PERIOD, of="observing")


def _look(entries: Sequence[OperatorLogEntry], now: datetime) -> int:
    """Record the outcomes of these actions. If another worker does the same, the first one records it."""
    sagas = SagaInstance.objects.using(ALIAS).in_bulk([entry.saga_id for entry in entries])
    return sum(_look_at(entry, sagas.get(entry.saga_id), now) for entry in entries)


def _look_at(entry: OperatorLogEntry, instance: SagaInstance | None, now: datetime) -> bool:
    """Return whether the outcome was observed and stored. An error with one entry does not stop the others."""
    try:
        seen = _observation_of(entry, instance, now)
        return seen is not None and _write_down(entry, seen)
    except HITS_ALL:
        raise
    except Exception:  # the next round checks the entry again
        logger.exception("the outcome of %s could not be observed", entry)
        return False


def _observation_of(entry: OperatorLogEntry, instance: SagaInstance | None, now: datetime) -> Observation | None:
    if instance is None:
        return Observation(Observed.GONE, "The saga has been purged.")
    if seen := outcome_of(OperatorAction(entry.action), _now_of(entry, instance)):
        return seen
    return Observation(Observed.STILL_WAITING, _still_waiting(entry)) if now - entry.at >= OBSERVED_WITHIN else None


def _write_down(entry: OperatorLogEntry, seen: Observation) -> bool:
    open_still = OperatorLogEntry.objects.using(ALIAS).filter(pk=entry.pk, observed_at__isnull=True)
    written = {"observed": seen.observed.value, "observed_detail": seen.sentence, "observed_at": clocks.now()}
    return bool(open_still.update(**written))


def _now_of(entry: OperatorLogEntry, instance: SagaInstance) -> Now:
    return Now(
        phase=Phase(instance.phase),
        in_flight=instance.in_flight,
        paused=instance.paused,
        parked=instance.progress.get("parked", []),
        is_due=instance.due_at is not None,
        since=_since(entry, instance),
    )


def _since(entry: OperatorLogEntry, instance: SagaInstance) -> list[LogLine]:
    if instance.version == entry.after["version"]:
        return []
    log = SagaLogEntry.objects.using(ALIAS).filter(saga_id=instance.pk, sequence__gt=entry.after["log_length"])
    return [LogLine(Kind(each.kind), each.step, each.detail) for each in log.order_by("sequence")]


def _still_waiting(entry: OperatorLogEntry) -> str:
    line = why(UUID(str(entry.saga_id)))
    return f"Still waiting: {line.sentence if line else 'the saga no longer exists.'}"


def _read(entry_id: int) -> OperatorLogEntry:
    return OperatorLogEntry.objects.using(ALIAS).get(pk=entry_id)
