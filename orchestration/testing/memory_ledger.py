"""A service's ledger and effects in memory, with transactions that can be rolled back."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from django.db import OperationalError

from orchestration import failpoints
from orchestration.db.transactions import TRIES, VersionConflict
from orchestration.failpoints import Failpoint
from orchestration.participant.ledger_store import Call, LedgerChange, Row
from orchestration.testing.memory_locks import MemoryLocks

T = TypeVar("T")


@dataclass(frozen=True)
class Kept:
    """One ledger row."""

    row: Row
    history: tuple[str, ...]
    request: dict[str, Any] | None


@dataclass(frozen=True)
class Effect:
    """How often a step was done, and how often it was reversed."""

    done: int = 0
    reversed: int = 0


class MemoryRows:
    """A `Rows` of one service, with the effects of its steps in the same transactions.

    While `is_away` is set, its database does not answer.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.now = clock
        self.is_away = False
        self.ledger: dict[tuple[UUID, str], Kept] = {}
        self.effects: dict[tuple[UUID, str], Effect] = {}
        self.locks = MemoryLocks(self)
        self._undo: list[Callable[[], Any]] | None = None

    def claim(self, calls: Sequence[Call], status: str, *, keep_request: bool = False) -> set[UUID]:
        self.answer()
        fresh = set()
        for call in calls:
            if (call.saga_id, call.step) not in self.ledger:
                fresh.add(call.saga_id)
                row = Row(str(status), None, None, self.now(), self.now(), call.token)
                request = call.known if keep_request else None
                self.put(self.ledger, (call.saga_id, call.step), Kept(row, (str(status),), request))
        return fresh

    def read(self, saga_ids: Collection[UUID], step: str, *, lock: bool = True) -> dict[UUID, Row]:
        self.answer()
        return {each: self.ledger[each, step].row for each in saga_ids if (each, step) in self.ledger}

    def change(self, step: str, changes: Sequence[LedgerChange], *, was: Collection[str] = ()) -> None:
        self.answer()
        found = [change for change in changes if self._is(change.saga_id, step, was)]
        for change in found:
            kept = self.ledger[change.saga_id, step]
            status = str(change.status)
            row = replace(
                kept.row,
                status=status,
                answer=kept.row.answer if change.answer is None else change.answer,
                refusal=kept.row.refusal if change.refusal is None else change.refusal,
                changed_at=self.now(),
                token=change.token,
            )
            history = (*kept.history, status) if was else (status,)
            self.put(self.ledger, (change.saga_id, step), Kept(row, history, kept.request))

    def flush(self) -> None:
        """Do nothing: every call is done at once."""

    def transaction(self, failpoint: Failpoint, work: Callable[[], T]) -> T:
        return self.repeated(lambda: self._once(failpoint, work))

    def repeated(self, work: Callable[[], T]) -> T:
        for _ in range(TRIES - 1):
            try:
                return work()
            except (VersionConflict, OperationalError):
                continue
        return work()

    def savepoint(self) -> AbstractContextManager[None]:
        return self._taken_back_on_error()

    def return_connection(self) -> None:
        """Do nothing: there is no connection."""

    def have_effect(self, saga_id: UUID, step: str) -> None:
        """Count the step as done once more. A rollback of the transaction takes it back."""
        effect = self.effects.get((saga_id, step), Effect())
        self.put(self.effects, (saga_id, step), replace(effect, done=effect.done + 1))

    def reverse_effect(self, saga_id: UUID, step: str) -> None:
        """Count the step as reversed once more. A rollback of the transaction takes it back."""
        effect = self.effects.get((saga_id, step), Effect())
        self.put(self.effects, (saga_id, step), replace(effect, reversed=effect.reversed + 1))

    def put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        """Set a row of a table; None removes it. A rollback of the transaction takes it back."""
        if self._undo is not None:
            self._undo.append(partial(_set, table, key, table.get(key)))
        _set(table, key, value)

    def answer(self) -> None:
        """Answer as a database does that is not away.

        :raises OperationalError: when it is away.
        """
        if self.is_away:
            raise OperationalError("this service's database is away")

    def _once(self, failpoint: Failpoint, work: Callable[[], T]) -> T:
        with self._taken_back_on_error():
            result = work()
            failpoints.before(failpoint)
        failpoints.after(failpoint)
        return result

    @contextmanager
    def _taken_back_on_error(self) -> Iterator[None]:
        outer, self._undo = self._undo, []
        try:
            yield
        except BaseException:
            for undo in reversed(self._undo):
                undo()
            raise
        else:
            if outer is not None:
                outer.extend(self._undo)
        finally:
            self._undo = outer

    def _is(self, saga_id: UUID, step: str, was: Collection[str]) -> bool:
        kept = self.ledger.get((saga_id, step))
        return kept is not None and (not was or kept.row.status in {str(status) for status in was})


def _set(table: dict[Any, Any], key: Any, value: Any) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
