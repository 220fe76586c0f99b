"""The loop that reconciles with gateway or carrier: it queries the outcome of unanswered calls, and later outcomes.

Workers of a service with external calls run it. It changes nothing at the external system, and sends no report to the
saga. A saga that backs off finds the row concluded at its next try. For a parked saga, an operator sees the new row.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import Q
from redis import Redis
from redis.exceptions import RedisError

from orchestration.contracts.command import Action
from orchestration.execution.periodic import run_periodically
from orchestration.log_context import about
from orchestration.participant import external_steps
from orchestration.participant.breaker_redis import connect
from orchestration.participant.external import ExternalCommand
from orchestration.participant.later_outcomes import LaterOutcomes, LaterReading
from orchestration.participant.ledger import LedgerRow, Status
from orchestration.participant.ledger_store import Call
from orchestration.participant.participant import Participant, ParticipantCommand

logger = logging.getLogger(__name__)

T = TypeVar("T")

BATCH = 50
OPEN = (Status.STARTED, Status.UNDOING)


@dataclass(frozen=True)
class ReconciliationRound:
    """The number of open rows that were settled, that are still unknown there, and whose query failed."""

    settled: int = 0
    unknown: int = 0
    failed: int = 0


@dataclass(frozen=True)
class ReconciliationLease:
    """The lease of the process that reconciles a service's rows. While Redis is away, every process has it."""

    name: str
    redis: Redis
    lasts: timedelta

    def take(self) -> bool:
        """Take the lease. Return whether this process has it now."""
        try:
            return bool(self.redis.set(self.name, 1, px=self.lasts, nx=True))
        except RedisError:
            return True  # two queries are harmless

    def keep(self) -> None:
        """Extend the lease."""
        try:
            self.redis.set(self.name, 1, px=self.lasts)
        except RedisError as error:
            logger.debug("%s is everybody's: %s", self.name, error)


def external_commands(participant: Participant) -> Mapping[tuple[str, str], tuple[ParticipantCommand, ExternalCommand]]:
    """Return the external commands, by the status and step of the open row that an unanswered call leaves."""
    return {
        (Status.STARTED if isinstance(command, Action) else Status.UNDOING, command.step): (command, work)
        for command, work in participant.commands.items()
        if isinstance(work, ExternalCommand)
    }


def reconcile_open_rows(
    participant: Participant, *, before_each_batch: Callable[[], object] = lambda: None
) -> ReconciliationRound:
    """Query every row that has been open for longer than `SETTLE_AFTER`. One row's error does not stop the others.

    Then read the later outcomes that are due. Calls whose breaker is not closed are left for later, because a query is
    no probe.
    """
    ends = Counter[str]()
    now = participant.rows.now()
    for batch in _open_rows(participant, now - settings.SETTLE_AFTER):
        before_each_batch()
        for row in batch:
            with about([row.saga_id]):
                ends[_end_of(participant, row)] += 1
    for later in participant.later_outcomes:
        for outcome in later.due(now):
            before_each_batch()
            ends[_end_of_reading(later, outcome, now)] += 1
    return ReconciliationRound(settled=ends["settled"], unknown=ends["unknown"], failed=ends["failed"])


def run_forever(participant: Participant, stopped: threading.Event) -> None:
    """Run a round every `SETTLE_PERIOD` until `stopped`, if no other process does. Outages only delay it."""
    lasts = settings.SETTLE_PERIOD * 0.9  # so that it ends before the next round of the process that has it
    lease = ReconciliationLease(
        settings.TOPOLOGY.name(f"{participant.service}.settling"), connect(settings.REDIS_URL), lasts
    )

    def settle_with_lease() -> None:
        if lease.take():
            _tell(participant, reconcile_open_rows(participant, before_each_batch=lease.keep))

    run_periodically(stopped, settle_with_lease, every=settings.SETTLE_PERIOD, of=f"settling {participant.service}")


def _open_rows(participant: Participant, until: datetime) -> Iterator[list[LedgerRow]]:
    """Yield batches of rows that have been open since before `until`, each row at most once."""
    ledger = participant.ledger._default_manager.using(participant.service)
    waiting = ledger.filter(status__in=OPEN, changed_at__lte=until).order_by("changed_at", "pk")
    batch = list(waiting[:BATCH])
    while batch:
        yield batch
        last = batch[-1]
        later = Q(changed_at__gt=last.changed_at) | Q(changed_at=last.changed_at, pk__gt=last.pk)
        batch = list(waiting.filter(later)[:BATCH])


def _end_of(participant: Participant, row: LedgerRow) -> str:
    try:
        return "settled" if _reconcile(participant, row) else "unknown"
    except Exception as error:  # one row's error must not stop the others; a later round queries it again
        logger.warning("%s: what became of it cannot be asked: %r", row, error)
        return "failed"


def _end_of_reading(later: LaterOutcomes[T], outcome: T, now: datetime) -> str:
    if later.breaker.state() != "closed":
        return LaterReading.UNKNOWN
    try:
        return _read(later, outcome, now)
    except Exception as error:  # as above
        logger.warning("%s: it cannot be read: %r", outcome, error)
        return "failed"


def _read(later: LaterOutcomes[T], outcome: T, now: datetime) -> LaterReading:
    try:
        return later.read(outcome, now)
    except later.breaker.counts:
        with later.breaker.calling():
            raise


def _reconcile(participant: Participant, row: LedgerRow) -> bool:
    command, work = external_commands(participant)[row.status, row.step]
    if work.breaker.state() != "closed":
        return False
    call = Call(row.saga_id, row.step, row.token, known=_request_of(row))
    return external_steps.reconcile(participant, command, work, call)


def _request_of(row: LedgerRow) -> dict[str, Any]:
    """Return the facts of the row's action. They include all that its compensation may need: those known before it."""
    return dict(row.request or {})


def _tell(participant: Participant, made: ReconciliationRound) -> None:
    if made != ReconciliationRound():
        logger.info(
            "%s asked after open calls: %d settled, %d not known there yet, %d failed",
            *(participant.service, made.settled, made.unknown, made.failed),
        )
