"""Saga rows and their log in PostgreSQL: insert, find, compare-and-set, claim what is due."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Model, Q, QuerySet, Value
from django.db.models.functions import Least, Now

from orchestration.db.commits import commit_at_once, committing
from orchestration.db.sql import as_array, as_rows, find_all, quoted, rows_of
from orchestration.engine import markers
from orchestration.engine.row_mapping import undelivered
from orchestration.failpoints import Failpoint, FailpointKind
from orchestration.models import ALIAS, SagaInstance, SagaLogEntry
from orchestration.protocol.states import Phase

Then = Callable[[], None]


class KeyInProgress(Exception):
    """A request with this idempotency key is being accepted right now."""


@dataclass(frozen=True)
class RowChange:
    """A saga's row as it was read, the columns to change, and the log entries to add."""

    instance: SagaInstance
    columns: Mapping[str, Any]
    entries: Sequence[SagaLogEntry]


Taken = Callable[[set[UUID]], None]
"""Runs after a commit, with the ids of the sagas that it changed."""


class Store(Protocol):
    """The store of sagas as the engine and recovery use it. This module implements it."""

    def find(self, saga_ids: Collection[UUID], /) -> dict[UUID, SagaInstance]: ...

    def find_by_key(self, customer_id: str, idempotency_key: str, /) -> SagaInstance | None: ...

    def insert(self, instance: SagaInstance, entries: Sequence[SagaLogEntry], /, *, then: Then | None) -> None: ...

    def compare_and_set(self, changes: Sequence[RowChange], /, *, about: str, then: Taken | None) -> set[UUID]: ...

    def mark_undelivered(self, instance: SagaInstance, after: timedelta, /) -> None: ...

    def bring_forward(self, now: datetime, horizon: datetime, /) -> int: ...

    def is_any_due(self, now: datetime, /) -> bool: ...

    def claim_due(self, now: datetime, limit: int, /) -> list[SagaInstance]: ...

    def without_report(self, now: datetime, /) -> set[tuple[str, str]]: ...


def find(saga_ids: Collection[UUID]) -> dict[UUID, SagaInstance]:
    """Return the sagas that exist, by id."""
    found = find_all(SagaInstance, ALIAS, "id = ANY(%s::uuid[])", as_array(saga_ids))
    return {instance.pk: instance for instance in found}


def find_by_key(customer_id: str, idempotency_key: str) -> SagaInstance | None:
    """Return the saga that this customer started with this key, or None."""
    return SagaInstance.objects.using(ALIAS).filter(customer_id=customer_id, idempotency_key=idempotency_key).first()


def insert(instance: SagaInstance, entries: Sequence[SagaLogEntry], *, then: Then | None) -> None:
    """Write a new saga and its first log entries in one transaction. Run `then` after the commit.

    :raises KeyInProgress: when another process is accepting the same key at this moment.
    :raises django.db.IntegrityError: when the customer has used the key.
    """
    failpoint = Failpoint(FailpointKind.START, instance.definition, [instance.pk])
    key = f"{instance.customer_id}\n{instance.idempotency_key}"
    row = {name: getattr(instance, name) for name in _SAGA}
    [(taken,)] = commit_at_once(ALIAS, failpoint, _insertion(), key, as_rows([row]), as_rows(map(_logged, entries)))
    if not taken:
        raise KeyInProgress(KeyInProgress.__doc__)
    _afterwards(then)


def compare_and_set(changes: Sequence[RowChange], *, about: str, then: Taken | None) -> set[UUID]:
    """Change the rows that are as they were read, add their log entries, and run `then` after the commit.

    All changes have the same columns. Return the ids of the sagas that were changed. `about` names the event for
    failpoints.
    """
    rows = [
        {**each.columns, "id": each.instance.pk, "was_phase": each.instance.phase, "was_version": each.instance.version}
        for each in changes
    ]
    entries = [_logged(entry) for each in changes for entry in each.entries]
    failpoint = Failpoint(FailpointKind.DECIDE, about, [each.instance.pk for each in changes])
    change = _change(tuple(changes[0].columns))
    ids = as_array(each.instance.pk for each in changes)
    taken = {saga_id for (saga_id,) in commit_at_once(ALIAS, failpoint, change, as_rows(rows), ids, as_rows(entries))}
    if then is not None and taken:
        _afterwards(partial(then, taken))
    return taken


def mark_undelivered(instance: SagaInstance, after: timedelta) -> None:
    """Record that the saga's command was not published. Recovery sends it again after this time, without a marker."""
    _row(instance).update(**undelivered(instance), due_at=Now() + after)


def bring_forward(now: datetime, horizon: datetime) -> int:
    """Make sagas due now whose due time is after `horizon`, and return how many. A wrong clock wrote these times.

    A `dispatched_at` in the future becomes now, so that a marker sent from now on can prove a lost message.
    """
    wrong = SagaInstance.objects.using(ALIAS).filter(due_at__gt=horizon)
    return wrong.update(due_at=now, dispatched_at=Least(F("dispatched_at"), Value(now)), held_at=None)


def is_any_due(now: datetime) -> bool:
    """Return whether any saga is due.

    This reads the saga with the earliest due time. With old statistics, another plan might read the whole table.
    """
    return _due(now).order_by("due_at").values_list("due_at").first() is not None


def claim_due(now: datetime, limit: int) -> list[SagaInstance]:
    """Claim due sagas that no other process has locked, and postpone their `due_at`.

    Sagas whose message may still wait in a queue are left out.
    """
    late = Q(phase=Phase.RUNNING, deadline_at__lte=now)
    ids: list[UUID] = []
    with committing(ALIAS, Failpoint(FailpointKind.LEASE, "recovery", ids)):
        due = _due(now).filter(Q(in_flight=False) | late | markers.lost(now)).order_by("due_at")
        batch = list(due.select_for_update(skip_locked=True)[:limit])
        ids += [instance.pk for instance in batch]
        claimed = SagaInstance.objects.using(ALIAS).filter(pk__in=ids)
        claimed.update(due_at=now + settings.PRESUMED_LOST_AFTER)
    return batch


def without_report(now: datetime) -> set[tuple[str, str]]:
    """Return the definition and phase of due sagas whose command is in flight."""
    return set(_due(now).filter(in_flight=True).values_list("definition", "phase").distinct())


def _due(now: datetime) -> QuerySet[SagaInstance]:
    return SagaInstance.objects.using(ALIAS).filter(due_at__lte=now)


def _row(instance: SagaInstance) -> QuerySet[SagaInstance]:
    return SagaInstance.objects.using(ALIAS).filter(pk=instance.pk, phase=instance.phase, version=instance.version)


def _afterwards(then: Then | None) -> None:
    if then is None:
        return

    def after_the_commit() -> None:
        """Run `then`. Django logs an error here by `__qualname__`, which a partial does not have."""
        then()

    transaction.on_commit(after_the_commit, using=ALIAS, robust=True)


_SAGA = tuple(str(field.column) for field in SagaInstance._meta.concrete_fields)
_LOG = ("saga_id", "sequence", "kind", "step", "phase", "token", "detail", "at")


def _logged(entry: SagaLogEntry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _LOG}


@cache
def _insertion() -> str:
    """Return the statement that locks a new saga's key, writes its row and log, and tells whether it got the lock."""
    return (
        "WITH key AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)) AS taken), "
        f"written AS (INSERT INTO {_table(SagaInstance)} ({quoted(_SAGA)}) "
        f"SELECT {quoted(_SAGA, of='given')} FROM {rows_of(SagaInstance, _SAGA)}, key WHERE key.taken RETURNING id), "
        f"{_logging()} SELECT taken FROM key"
    )


@cache
def _change(columns: tuple[str, ...]) -> str:
    """Return the statement that compares and sets saga rows and writes their log entries.

    The ids are a parameter of their own, because a plan without statistics would read the whole table otherwise.
    """
    given = rows_of(SagaInstance, ("id", *columns), "was_phase text", "was_version int")
    settings = ", ".join(f'"{name}" = given."{name}"' for name in columns)
    return (
        f"WITH written AS (UPDATE {_table(SagaInstance)} AS saga SET {settings} FROM {given} "
        "WHERE saga.id = given.id AND saga.id = ANY(%s::uuid[]) "
        "AND saga.phase = given.was_phase AND saga.version = given.was_version "
        f"RETURNING saga.id), {_logging()} SELECT id FROM written"
    )


def _logging() -> str:
    return (
        f"logged AS (INSERT INTO {_table(SagaLogEntry)} ({quoted(_LOG)}) "
        f"SELECT {quoted(_LOG, of='entry')} FROM {rows_of(SagaLogEntry, _LOG, named='entry')} "
        "JOIN written ON written.id = entry.saga_id)"
    )


def _table(model: type[Model]) -> str:
    return str(model._meta.db_table)
