"""Statements on a ledger: claim rows, read them, change them. They are plain SQL because every message runs them."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

import orjson
from django.db import connections, transaction

from orchestration.db import clocks, transactions
from orchestration.db.sql import as_array, as_rows, execute, flush, rows_of, run_later
from orchestration.failpoints import Failpoint
from orchestration.participant.ledger import LedgerRow, Status
from orchestration.participant.lock_store import Locks, LockTable, NoLockTables
from orchestration.participant.lock_tables import LockTables

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One call of a participant: a saga's step, the facts known so far, and the fencing token of the dispatch."""

    saga_id: UUID
    step: str
    token: int
    known: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """The fields of a ledger row that decisions use."""

    status: str
    answer: dict[str, Any] | None
    refusal: dict[str, Any] | None
    created_at: datetime
    changed_at: datetime
    token: int

    @property
    def is_final(self) -> bool:
        """Whether an action that finds this row has nothing left to do."""
        return self.status not in (Status.STARTED, Status.WAITING)


@dataclass(frozen=True)
class LedgerChange:
    """The new status of one saga's row, with its answer or refusal."""

    saga_id: UUID
    token: int
    status: str
    answer: dict[str, Any] | None = None
    refusal: dict[str, Any] | None = None


_CHANGED = tuple(each.name for each in fields(LedgerChange))


class Rows(Protocol):
    """The ledger of one service as the kit uses it, and its locks. `LedgerTable` implements it."""

    @property
    def locks(self) -> Locks: ...

    def claim(self, calls: Sequence[Call], status: str, /, *, keep_request: bool = False) -> set[UUID]: ...

    def read(self, saga_ids: Collection[UUID], step: str, /, *, lock: bool = True) -> dict[UUID, Row]: ...

    def change(self, step: str, changes: Sequence[LedgerChange], /, *, was: Collection[str] = ()) -> None: ...

    def flush(self) -> None: ...

    def transaction(self, failpoint: Failpoint, work: Callable[[], T], /) -> T: ...

    def repeated(self, work: Callable[[], T], /) -> T: ...

    def savepoint(self) -> AbstractContextManager[Any]: ...

    def return_connection(self) -> None: ...

    def now(self) -> datetime: ...


@dataclass(frozen=True)
class LedgerTable:
    """A service's ledger in its database."""

    ledger: type[LedgerRow]
    alias: str
    lock_tables: LockTables | None = None

    @property
    def locks(self) -> Locks:
        """The service's locks, beside its ledger.

        :raises NoLockTables: when it has none.
        """
        if self.lock_tables is None:
            raise NoLockTables(f"{self.alias}: {NoLockTables.__doc__}")
        return LockTable(self.lock_tables, self.alias)

    def claim(self, calls: Sequence[Call], status: str, *, keep_request: bool = False) -> set[UUID]:
        """Insert a row for each call that has none yet; return the sagas whose row is new.

        Never select first: the unique key decides between two runs of one message. The loser waits here until the
        winner's transaction ends (READ COMMITTED). Keys are inserted in order, so that two batches cannot deadlock.
        """
        calls = sorted(calls, key=lambda call: call.saga_id)
        given = (
            {
                "saga_id": call.saga_id,
                "step": call.step,
                "token": call.token,
                "request": call.known if keep_request else None,
            }
            for call in calls
        )
        found = execute(
            self.alias,
            f"INSERT INTO {self._table} (saga_id, step, status, history, token, request) "
            "SELECT saga_id, step, %s::text, ARRAY[%s::text], token, request "
            f"FROM {rows_of(self.ledger, ('saga_id', 'step', 'token', 'request'))} "
            "ON CONFLICT (saga_id, step) DO NOTHING RETURNING saga_id",
            status,
            status,
            as_rows(given),
        )
        return {saga_id for (saga_id,) in found}

    def read(self, saga_ids: Collection[UUID], step: str, *, lock: bool = True) -> dict[UUID, Row]:
        """Return the rows of these sagas, by saga.

        With `lock` no other transaction changes them until this one ends. They are locked in order of their ids, so
        that two transactions cannot deadlock.
        """
        if not saga_ids:
            return {}
        found = execute(
            self.alias,
            "SELECT saga_id, status, answer, refusal, created_at, changed_at, token "
            f"FROM {self._table} WHERE saga_id = ANY(%s::uuid[]) AND step = %s ORDER BY saga_id"
            + (" FOR UPDATE" if lock else ""),
            as_array(saga_ids),
            step,
        )
        return {
            saga_id: Row(status, _loaded(answer), _loaded(refusal), *written)
            for saga_id, status, answer, refusal, *written in found
        }

    def change(self, step: str, changes: Sequence[LedgerChange], *, was: Collection[str] = ()) -> None:
        """Give each row its new status and answer, at the latest when the transaction commits.

        Rows whose status is not in `was` do not change. Without `was` the rows were claimed in this transaction, and no
        other one has seen them, so their history begins here.
        """
        guard = "AND old.status = ANY(%s::text[])" if was else ""
        run_later(
            self.alias,
            f"UPDATE {self._table} AS old SET status = new.status, changed_at = now(), token = new.token, "
            f"history = {'old.history || new.status' if was else 'ARRAY[new.status]'}, "
            "answer = coalesce(new.answer, old.answer), refusal = coalesce(new.refusal, old.refusal) "
            f"FROM {rows_of(self.ledger, _CHANGED, named='new')} "
            f"WHERE old.saga_id = new.saga_id AND old.saga_id = ANY(%s::uuid[]) AND old.step = %s {guard}",
            as_rows(map(vars, changes)),
            as_array(each.saga_id for each in changes),  # or a plan reads all of a table it knows little of
            step,
            *([as_array(was)] if was else []),
        )

    def flush(self) -> None:
        """Run the statements that were postponed to the end of the transaction."""
        flush(self.alias)

    @property
    def _table(self) -> str:
        return self.ledger._meta.db_table

    def transaction(self, failpoint: Failpoint, work: Callable[[], T]) -> T:
        """Run `work` in a transaction of its own and commit it, as `transactions.run` does."""
        return transactions.run(self.alias, failpoint, work)

    def repeated(self, work: Callable[[], T]) -> T:
        """Run one statement, as `transactions.repeated` does."""
        return transactions.repeated(self.alias, work)

    def savepoint(self) -> AbstractContextManager[Any]:
        """Return a context manager that rolls its block back when it raises. The transaction goes on."""
        return transaction.atomic(using=self.alias)

    def return_connection(self) -> None:
        """Return the connection to the pool while the database is not needed."""
        connections[self.alias].close()

    def now(self) -> datetime:
        """Return the time by the clock that wrote the times of the rows."""
        return clocks.now(self.alias)


def _loaded(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)  # `pipeline` leaves JSON unread
