"""Actions of operators on breakers and dead letters, recorded in the machinery log before and after they are done."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.db import Error, transaction
from django.db.models.functions import Now
from psycopg_pool import PoolTimeout

from orchestration.models import ALIAS, MachineryLogEntry
from orchestration.models.actions import MachineryOutcome
from orchestration.operators.actions.requests import MachineryAsk
from orchestration.operators.insight.sources import AWAY
from orchestration.text import formatting

logger = logging.getLogger(__name__)

T = TypeVar("T")
Logged = Mapping[str, Any]
"""A breaker or a dead letter as the log records it, JSON-ready."""

_DATABASE_AWAY = (Error, PoolTimeout)


class NotDone(Exception):
    """Nothing was changed; the message says why."""


class NotRecorded(NotDone):
    """The action could not be recorded first, so nothing was done."""


class NotKnown(Exception):
    """It is not known whether the action was done: Redis or the broker failed during it. Check the state again."""


def on_record(ask: MachineryAsk, *, before: Logged, act: Callable[[], T], after: Callable[[T], Logged | None]) -> T:
    """Call `act` with an entry in the machinery log: begin the entry, call `act`, and record the outcome in the entry.

    The entry is committed before `act` is called. It stays without an outcome if the process dies in between, or if the
    outcome cannot be written: the action is not undone for that. `after` gets the result of `act` and returns the state
    to record.

    :raises NotRecorded: when the entry cannot be written; `act` is not called then.
    :raises NotDone: when `act` raises it because it changed nothing.
    :raises NotKnown: when Redis or the broker failed during `act`.
    """
    entry = _begin(ask, before)
    try:
        done = act()
    except NotDone as error:
        _end(entry, MachineryOutcome.NOTHING_CHANGED, str(error))
        raise
    except AWAY as error:
        _end(entry, MachineryOutcome.UNKNOWN, reason := formatting.one_line(error))
        raise NotKnown(f"It is not known whether it was done: {reason}") from error
    _end(entry, MachineryOutcome.DONE, after=after(done))
    logger.warning("%s of %s is done, by %s: %s", ask.action, ask.subject, ask.actor.name, ask.reason)
    return done


def _begin(ask: MachineryAsk, before: Logged) -> MachineryLogEntry:
    entry = MachineryLogEntry(
        action=ask.action.value,
        subject=ask.subject,
        wanted=dict(ask.wanted),
        by=ask.actor.name,
        user_id=ask.actor.user_id,
        via=ask.actor.via.value,
        reason=ask.reason,
        before=dict(before),
    )
    try:
        with transaction.atomic(using=ALIAS, durable=True):
            entry.save(using=ALIAS, force_insert=True)
    except _DATABASE_AWAY as error:
        raise NotRecorded(f"It could not be recorded first: {formatting.one_line(error)}") from error
    return entry


def _end(entry: MachineryLogEntry, outcome: MachineryOutcome, detail: str = "", after: Logged | None = None) -> None:
    open_still = MachineryLogEntry.objects.using(ALIAS).filter(pk=entry.pk, ended_at__isnull=True)
    try:
        open_still.update(outcome=outcome.value, detail=detail, after=after and dict(after), ended_at=Now())
    except _DATABASE_AWAY as error:
        logger.warning("%s: it is %s, and its end could not be written: %s", entry, outcome, error)
