"""Saga rows and their log in PostgreSQL: written at once, found again, changed by compare-and-set, claimed when due."""

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
    """A saga's row as it was read, the columns to change, and what the log says of it."""

    instance: SagaInstance
    columns: Mapping[str, Any]
    entries: Sequence[SagaLogEntry]


Taken = Callable[[set[UUID]], None]
"""Done after a commit, with the sagas whose changes are in it."""


class Store(Protocol):
    """What the engine and recovery need of a place that keeps sagas. This module is one."""

    def find(self, saga_ids: Collection[UUID], /) -> dict[UUID, SagaInstance]: ...

    def find_by_key(self, customer_id: str, idempotency_key: str, /) -> SagaInstance | None: ...

    def insert(self, instance: SagaInstance, entries: Sequence[SagaLogEntry], /, *, then: Then | None) -> None: ...

    def compare_and_set(self, changes: Sequence[RowChange], /, *, about: str, then: Taken | None) -> set[UUID]: ...

    def mark_undelivered(self, instance: SagaInstance, after: timedelta, /) -> None: ...

    def bring_forward(self, now: datetime, horizon: datetime, /) -> int: ...

    def is_any_due(self, now: datetime, /) -> bool: ...

    def claim_due(self, now: datetime, limit: int, /) -> list[SagaInstance]: ...

    def unheard_of(self, now: datetime, /) -> set[tuple[str, str]]: ...


def find(saga_ids: Collection[UUID]) -> dict[UUID, SagaInstance]:
    """Those of the sagas that there are."""
    found = find_all(SagaInstance, ALIAS, "id = ANY(%s::uuid[])", as_array(saga_ids))
    return {instance.pk: instance for instance in found}


def find_by_key(customer_id: str, idempotency_key: str) -> SagaInstance | None:
    """The saga that this customer started with this key."""
    return SagaInstance.objects.using(ALIAS).filter(customer_id=customer_id, idempotency_key=idempotency_key).first()


def insert(instance: SagaInstance, entries: Sequence[SagaLogEntry], *, then: Then | None) -> None:
    """Write a new saga and its first log entries, and do `then` once that is committed.

    :raises KeyInProgress: when the same key is being accepted by somebody else at this moment.
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
    """Change the rows that still are as they were read, the same columns of each, and log it; then do `then`.

    Gives the sagas whose row was. `about` names what happened, for those who follow the commit.
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
    """Have recovery send again after so long, instead of looking for a message that never left."""
    _row(instance).update(**undelivered(instance), due_at=Now() + after)


def bring_forward(now: datetime, horizon: datetime) -> int:
    """Make sagas due now whose due time is after `horizon`, and return how many. A wrong clock wrote these times.

    A `dispatched_at` in the future becomes now, so that a marker sent from now on can prove a lost message.
    """
    wrong = SagaInstance.objects.using(ALIAS).filter(due_at__gt=horizon)
    return wrong.update(due_at=now, dispatched_at=Least(F("dispatched_at"), Value(now)), held_at=None)


def is_any_due(now: datetime) -> bool:
    """Whether recovery has anything to look at.

    The soonest is asked for, or a plan made with old statistics reads the whole table to find that none is due.
    """
    return _due(now).order_by("due_at").values_list("due_at").first() is not None


def claim_due(now: datetime, limit: int) -> list[SagaInstance]:
    """Take due sagas that nobody else is looking at, and push their `due_at` so that nobody will for a while.

    Those whose message may merely wait are left out.
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


def unheard_of(now: datetime) -> set[tuple[str, str]]:
    """Definition and phase of sagas that were sent something and have not reported for a while."""
    return set(_due(now).filter(in_flight=True).values_list("definition", "phase").distinct())


def _due(now: datetime) -> QuerySet[SagaInstance]:
    return SagaInstance.objects.using(ALIAS).filter(due_at__lte=now)


def _row(instance: SagaInstance) -> QuerySet[SagaInstance]:
    return SagaInstance.objects.using(ALIAS).filter(pk=instance.pk, phase=instance.phase, version=instance.version)


def _afterwards(then: Then | None) -> None:
    if then is None:
        return

    def after_the_commit() -> None:
        """Do `then`: Django logs what fails here by its `__qualname__`, which a partial does not have."""
        then()

    transaction.on_commit(after_the_commit, using=ALIAS, robust=True)


_SAGA = tuple(str(field.column) for field in SagaInstance._meta.concrete_fields)
_LOG = ("saga_id", "sequence", "kind", "step", "phase", "token", "detail", "at")


def _logged(entry: SagaLogEntry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _LOG}


@cache
def _insertion() -> str:
    """One statement for a new saga: take its key, write its row and its log; says whether the key was to be had."""
    return (
        "WITH key AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)) AS taken), "
        f"written AS (INSERT INTO {_table(SagaInstance)} ({quoted(_SAGA)}) "
        f"SELECT {quoted(_SAGA, of='given')} FROM {rows_of(SagaInstance, _SAGA)}, key WHERE key.taken RETURNING id), "
        f"{_logging()} SELECT taken FROM key"
    )


@cache
def _change(columns: tuple[str, ...]) -> str:
    """One statement for what becomes of sagas: compare, set, and log what was set.

    The ids are given apart, too, or a plan reads all of a table it knows little of.
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
