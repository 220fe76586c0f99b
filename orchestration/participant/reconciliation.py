"""The loop that settles open ledger rows: it asks gateway or carrier what became of calls whose outcome is unknown.

Workers of a service that calls outside run it. It changes nothing there, and it tells no saga: one that waits to try
again is due anyway and finds the row concluded; one that is parked is a person's, who then sees the row as it is.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from redis import Redis
from redis.exceptions import RedisError

from orchestration.contracts.command import Action
from orchestration.execution.periodic import round_after_round
from orchestration.log_context import about
from orchestration.participant import external_steps
from orchestration.participant.breaker_redis import connect
from orchestration.participant.external import ExternalCommand
from orchestration.participant.ledger import LedgerRow, Status
from orchestration.participant.ledger_store import Call
from orchestration.participant.participant import Command, Participant

logger = logging.getLogger(__name__)

BATCH = 50
OPEN = (Status.STARTED, Status.UNDOING)


@dataclass(frozen=True)
class Round:
    """How many open rows are settled now, are not known to the other side yet, and could not be asked after."""

    settled: int = 0
    unknown: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Turn:
    """The right to ask for a service, held by one process at a time; while Redis is away, by everybody."""

    name: str
    redis: Redis
    lasts: timedelta

    def take(self) -> bool:
        """Whether nobody else has it."""
        try:
            return bool(self.redis.set(self.name, 1, px=self.lasts, nx=True))
        except RedisError:
            return True  # asking twice is harmless

    def keep(self) -> None:
        """Have it for another while."""
        try:
            self.redis.set(self.name, 1, px=self.lasts)
        except RedisError as error:
            logger.debug("%s is everybody's: %s", self.name, error)


def commands_outside(participant: Participant) -> Mapping[tuple[str, str], tuple[Command, ExternalCommand]]:
    """By status and step: the command whose call outside left an open row so, and its work."""
    return {
        (Status.STARTED if isinstance(command, Action) else Status.UNDOING, command.step): (command, work)
        for command, work in participant.commands.items()
        if isinstance(work, ExternalCommand)
    }


def settle_open_rows(participant: Participant, *, before_each_batch: Callable[[], object] = lambda: None) -> Round:
    """Ask after every row that has been open for longer than `SETTLE_AFTER`. One row's error does not stop the others.

    Rows whose breaker is not closed are left for later: a question is no probe.
    """
    ends = {"settled": 0, "unknown": 0, "failed": 0}
    for batch in _open_rows(participant, participant.rows.now() - settings.SETTLE_AFTER):
        before_each_batch()
        for row in batch:
            with about([row.saga_id]):
                ends[_end_of(participant, row)] += 1
    return Round(**ends)


def run_forever(participant: Participant, stopped: threading.Event) -> None:
    """Run a round every `SETTLE_PERIOD`, if nobody else does, until `stopped`; outages are waited out."""
    lasts = settings.SETTLE_PERIOD * 0.9  # or it would outlast the wait of the very process that had it
    turn = Turn(settings.TOPOLOGY.name(f"{participant.service}.settling"), connect(settings.REDIS_URL), lasts)

    def settle_in_turn() -> None:
        if turn.take():
            _tell(participant, settle_open_rows(participant, before_each_batch=turn.keep))

    round_after_round(stopped, settle_in_turn, every=settings.SETTLE_PERIOD, of=f"settling {participant.service}")


def _open_rows(participant: Participant, until: datetime) -> Iterator[list[LedgerRow]]:
    """Batches of rows that have been open since before `until`, each row at most once, whatever becomes of it."""
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
        return "settled" if _settle(participant, row) else "unknown"
    except Exception as error:  # one row's error never stops the others; it is asked after again
        logger.warning("%s: what became of it cannot be asked: %r", row, error)
        return "failed"


def _settle(participant: Participant, row: LedgerRow) -> bool:
    command, work = commands_outside(participant)[row.status, row.step]
    if work.breaker.state() != "closed":
        return False
    call = Call(row.saga_id, row.step, row.token, known=_request_of(row))
    return external_steps.settle(participant, command, work, call)


def _request_of(row: LedgerRow) -> dict[str, Any]:
    """What its action was asked with. That has every fact its compensation may need: those known before the action."""
    return dict(row.request or {})


def _tell(participant: Participant, made: Round) -> None:
    if made != Round():
        logger.info(
            "%s asked after open calls: %d settled, %d not known there yet, %d failed",
            *(participant.service, made.settled, made.unknown, made.failed),
        )
