"""What operators do to the machinery is on record: before it is done, and once more afterwards."""

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
"""A part of the machinery as the log keeps it, JSON-ready."""

_DATABASE_AWAY = (Error, PoolTimeout)


class NotDone(Exception):
    """Nothing was changed; the message says why."""


class NotRecorded(NotDone):
    """It could not be written down first, so nothing was done."""


class NotKnown(Exception):
    """Whether it was done is not known: Redis or the broker went away in the middle of it. Look again."""


def on_record(ask: MachineryAsk, *, before: Logged, act: Callable[[], T], after: Callable[[T], Logged | None]) -> T:
    """Do it, between an entry in the machinery log that says who sets out to do what, and the end of that entry.

    The entry is committed before `act` begins. A process that dies in between leaves it without an end; so does an end
    that cannot be written, since what was done is done. `after` is asked then, with what `act` gave.

    :raises NotRecorded: when the entry cannot be written; nothing is done then.
    :raises NotDone: what `act` raises to say that it changed nothing.
    :raises NotKnown: when what `act` talks to went away.
    """
    entry = _begin(ask, before)
    try:
        done = act()
    except NotDone as error:
        _end(entry, MachineryOutcome.NOTHING_CHANGED, str(error))
        raise
    except AWAY as error:
        _end(entry, MachineryOutcome.UNKNOWN, said := formatting.one_line(error))
        raise NotKnown(f"Whether it was done is not known: {said}") from error
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
        raise NotRecorded(f"It could not be written down first: {formatting.one_line(error)}") from error
    return entry


def _end(entry: MachineryLogEntry, outcome: MachineryOutcome, detail: str = "", after: Logged | None = None) -> None:
    open_still = MachineryLogEntry.objects.using(ALIAS).filter(pk=entry.pk, ended_at__isnull=True)
    try:
        open_still.update(outcome=outcome.value, detail=detail, after=after and dict(after), ended_at=Now())
    except _DATABASE_AWAY as error:
        logger.warning("%s: it is %s, and its end could not be written: %s", entry, outcome, error)
