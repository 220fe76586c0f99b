"""Saga rows and their log in PostgreSQL: insert, find, compare-and-set, claim what is due."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
from orchestration.models import ALIAS, Deadlock, SagaInstance, SagaLogEntry
from orchestration.protocol.states import Phase

Then = Callable[[], None]


class KeyInProgress(Exception):
    """A request with this idempotency key is being accepted right now."""


@dataclass(frozen=True)
class NewSaga:
    """A saga to insert, and its first log entries."""

    instance: SagaInstance
    entries: Sequence[SagaLogEntry]


@dataclass(frozen=True)
class RowChange:
    """A saga's row as it was read, the columns to change, and the log entries to add.

    If the change is made, the deadlock that it ends is recorded, and the successor that tries the saga's work again is
    inserted, in the same statement.
    """

    instance: SagaInstance
    columns: Mapping[str, Any]
    entries: Sequence[SagaLogEntry]
    deadlock: Deadlock | None = None
    successor: NewSaga | None = None


Taken = Callable[[set[UUID]], None]
"""Runs after a commit, with the ids of the sagas that it changed."""


class Store(Protocol):
    """The store of sagas as the engine and recovery use it. This module implements it."""

    def find(self, saga_ids: Collection[UUID], /) -> dict[UUID, SagaInstance]: ...

    def find_by_key(self, customer_id: str, idempotency_key: str, /) -> SagaInstance | None: ...

    def waits_around(self, saga_ids: Collection[UUID] | None, /, *, limit: int) -> list[SagaInstance]: ...

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


def find_successors(victims: Collection[UUID]) -> dict[UUID, SagaInstance]:
    """Return the sagas that do the work of these again, by the victim's id."""
    found = find_all(SagaInstance, ALIAS, "retry_of = ANY(%s::uuid[])", as_array(victims))
    return {instance.retry_of: instance for instance in found if instance.retry_of}


def waits_around(saga_ids: Collection[UUID] | None, *, limit: int) -> list[SagaInstance]:
    """Return sagas that wait and that may be in a deadlock: these of `saga_ids`, and all that they wait for.

    With None, start from any sagas. All are read in one snapshot: waits of different moments could form a cycle that
    never existed. A saga that no other one waits for is in no deadlock, so none is followed from it. At most `limit`
    sagas are returned. They are chosen at random, so that none is left out for ever.
    """
    starts = "" if saga_ids is None else "AND saga.id = ANY(%s::uuid[]) "
    given = [] if saga_ids is None else [as_array(saga_ids)]
    table = _table(SagaInstance)
    path = (
        "WITH RECURSIVE path(id, waits_for) AS ("
        f"(SELECT saga.id, saga.waits_for FROM {table} AS saga WHERE saga.waits_for IS NOT NULL {starts}"
        f"AND EXISTS (SELECT FROM {table} AS other WHERE other.waits_for = saga.id) ORDER BY random() LIMIT %s) "
        f"UNION SELECT saga.id, saga.waits_for FROM path JOIN {table} AS saga ON saga.id = path.waits_for "
        "WHERE saga.waits_for IS NOT NULL) SELECT id FROM path LIMIT %s"
    )
    return find_all(SagaInstance, ALIAS, f"id = ANY(ARRAY({path}))", *given, limit, limit)


def insert(instance: SagaInstance, entries: Sequence[SagaLogEntry], *, then: Then | None) -> None:
    """Write a new saga and its first log entries in one transaction. Run `then` after the commit.

    :raises KeyInProgress: when another process is accepting the same key at this moment.
    :raises django.db.IntegrityError: when the customer has used the key.
    """
    failpoint = Failpoint(FailpointKind.START, instance.definition, [instance.pk])
    key = f"{instance.customer_id}\n{instance.idempotency_key}"
    row = as_rows([_values(instance, _SAGA)])
    [(taken,)] = commit_at_once(ALIAS, failpoint, _insertion(), key, row, as_rows(map(_logged, entries)))
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
    successors = [each.successor for each in changes if each.successor]
    deadlocks = [each.deadlock for each in changes if each.deadlock]
    entries = [_logged(entry) for each in changes for entry in each.entries]
    entries += [_logged(entry) for each in successors for entry in each.entries]
    failpoint = Failpoint(FailpointKind.DECIDE, about, [each.instance.pk for each in changes])
    change = _change(tuple(changes[0].columns), succeeds=bool(successors), ends_deadlocks=bool(deadlocks))
    given = [as_rows(rows), as_array(each.instance.pk for each in changes)]
    if successors:
        given.append(as_rows(_values(each.instance, _SAGA) for each in successors))
    if deadlocks:
        given.append(as_rows(_values(each, _DEADLOCK) for each in deadlocks))
    taken = {saga_id for (saga_id,) in commit_at_once(ALIAS, failpoint, change, *given, as_rows(entries))}
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
_DEADLOCK = tuple(str(field.column) for field in Deadlock._meta.concrete_fields)
_LOG = ("saga_id", "sequence", "kind", "step", "phase", "token", "detail", "at")


def _logged(entry: SagaLogEntry) -> dict[str, Any]:
    return _values(entry, _LOG)


def _values(row: Model, columns: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in columns}


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
def _change(columns: tuple[str, ...], *, succeeds: bool, ends_deadlocks: bool) -> str:
    """Return the statement that compares and sets saga rows and writes their log entries.

    The ids are a parameter of their own, because a plan without statistics would read the whole table otherwise.
    """
    more = (_succession() if succeeds else "") + (_record() if ends_deadlocks else "")
    logging = _logging("(SELECT id FROM written UNION ALL SELECT id FROM begun) AS written" if succeeds else "written")
    given = rows_of(SagaInstance, ("id", *columns), "was_phase text", "was_version int")
    settings = ", ".join(f'"{name}" = given."{name}"' for name in columns)
    return (
        f"WITH written AS (UPDATE {_table(SagaInstance)} AS saga SET {settings} FROM {given} "
        "WHERE saga.id = given.id AND saga.id = ANY(%s::uuid[]) "
        "AND saga.phase = given.was_phase AND saga.version = given.was_version "
        f"RETURNING saga.id), {more}{logging} SELECT id FROM written"
    )


def _succession() -> str:
    """Return the part that inserts the successors of the written sagas and names them in their deadlocks."""
    return (
        f"begun AS (INSERT INTO {_table(SagaInstance)} ({quoted(_SAGA)}) "
        f"SELECT {quoted(_SAGA, of='successor')} FROM {rows_of(SagaInstance, _SAGA, named='successor')} "
        "JOIN written ON written.id = successor.retry_of RETURNING id, retry_of), "
        f"succeeded AS (UPDATE {_table(Deadlock)} AS deadlock SET successor_id = begun.id FROM begun "
        "WHERE deadlock.victim_id = begun.retry_of), "
    )


def _record() -> str:
    """Return the part that records the deadlocks that the written sagas end."""
    return (
        f"recorded AS (INSERT INTO {_table(Deadlock)} ({quoted(_DEADLOCK)}) "
        f"SELECT {quoted(_DEADLOCK, of='found')} FROM {rows_of(Deadlock, _DEADLOCK, named='found')} "
        "JOIN written ON written.id = found.victim_id), "
    )


def _logging(written: str = "written") -> str:
    return (
        f"logged AS (INSERT INTO {_table(SagaLogEntry)} ({quoted(_LOG)}) "
        f"SELECT {quoted(_LOG, of='entry')} FROM {rows_of(SagaLogEntry, _LOG, named='entry')} "
        f"JOIN {written} ON written.id = entry.saga_id)"
    )


def _table(model: type[Model]) -> str:
    return str(model._meta.db_table)
