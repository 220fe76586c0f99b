"""Statements on a service's locks: hold, queue, hand over, guard. `participant/locks.py` decides which to use.

Row locks are taken in one order everywhere: ledger rows by saga, then holds by resource, then turns and guards. A turn
is written and deleted only under the row lock of its resource's hold. So a turn never exists without a hold.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from django.db.models import Model

from orchestration.db.sql import as_array, as_rows, execute, run_later
from orchestration.participant.lock_tables import LockTables


@dataclass(frozen=True)
class LockClaim:
    """A saga's step that wants a resource, holds it, or leaves it."""

    resource: str
    saga_id: UUID
    step: str


@dataclass(frozen=True)
class HeldLock:
    """A resource, and the saga and step that hold it. `turn` is the turn that it was handed to; None: it was free."""

    resource: str
    saga_id: UUID
    step: str
    fence: int
    since: datetime
    turn: int | None = None


@dataclass(frozen=True)
class QueuedTurn:
    """A saga's place in the queue of a resource. `before`: how many sagas come first, without the holder."""

    resource: str
    saga_id: UUID
    step: str
    since: datetime
    waited: timedelta
    before: int


@dataclass(frozen=True)
class Wake:
    """A saga to which a lock was handed over. A message wakes it, so that it does not wait until it asks again."""

    saga_id: UUID
    step: str


class Locks(Protocol):
    """The locks of one service as the kit uses them. `LockTable` implements it."""

    def hold(self, claims: Sequence[LockClaim], /) -> dict[str, HeldLock]: ...

    def queue(self, claims: Sequence[LockClaim], /) -> dict[UUID, QueuedTurn]: ...

    def leave(self, claims: Sequence[LockClaim], /) -> None: ...

    def lock(self, resources: Collection[str], /) -> None: ...

    def hand_over(self, claims: Sequence[LockClaim], /) -> dict[str, Wake]: ...

    def guard(self, fences: Mapping[str, int], /) -> dict[str, int]: ...

    def next_fence(self) -> int: ...

    def held(self, resource: str | None = None, /, *, limit: int | None = None) -> list[HeldLock]: ...

    def queued(self, resource: str | None = None, /, *, limit: int | None = None) -> list[QueuedTurn]: ...


_HELD = ", ".join(each.name for each in fields(HeldLock))
_CLAIMED = "jsonb_to_recordset(%s::jsonb) AS given(resource text, saga_id uuid, step text)"


@dataclass(frozen=True)
class LockTable:
    """A service's locks in its database."""

    tables: LockTables
    alias: str

    def hold(self, claims: Sequence[LockClaim]) -> dict[str, HeldLock]:
        """Take each resource that is free. Lock the hold of each, and return it. Each resource is claimed once at most.

        One statement does both: between two, the hold of another saga could be deleted.
        """
        found = execute(
            self.alias,
            f"INSERT INTO {self._hold} AS hold (resource, saga_id, step, fence) "
            f"SELECT resource, saga_id, step, 0 FROM {_CLAIMED} ORDER BY resource "
            f"ON CONFLICT (resource) DO UPDATE SET since = hold.since RETURNING {_HELD}",
            as_rows(map(vars, claims)),
        )
        holds = {each[0]: HeldLock(*each) for each in found}
        return holds | self._with_fences([each for each, hold in holds.items() if not hold.fence])

    def queue(self, claims: Sequence[LockClaim]) -> dict[UUID, QueuedTurn]:
        """Give each claim a turn, in this order, unless it has one. Return the turns by saga. The holds are locked."""
        given = as_rows(map(vars, claims))
        found = execute(
            self.alias,
            f"WITH given AS (SELECT * FROM {_CLAIMED}), "
            f"added AS (INSERT INTO {self._turn} (resource, saga_id, step) SELECT resource, saga_id, step FROM given "
            "ON CONFLICT (saga_id, step) DO NOTHING RETURNING id, resource, saga_id, step, since), "
            f"line AS (SELECT id, resource, saga_id, step, since FROM {self._turn} "
            "WHERE resource IN (SELECT resource FROM given) UNION ALL TABLE added) "
            "SELECT resource, saga_id, step, since, now() - since, "
            "(SELECT count(*) FROM line AS other WHERE other.resource = line.resource AND other.id < line.id) "
            "FROM line JOIN given USING (resource, saga_id, step)",
            given,
        )
        return {saga_id: QueuedTurn(resource, saga_id, *rest) for resource, saga_id, *rest in found}

    def leave(self, claims: Sequence[LockClaim]) -> None:
        """Delete the turns of these claims. The holds are locked."""
        run_later(
            self.alias,
            f"DELETE FROM {self._turn} AS turn USING {_CLAIMED} "
            "WHERE turn.saga_id = given.saga_id AND turn.step = given.step",
            as_rows(map(vars, claims)),
        )

    def lock(self, resources: Collection[str]) -> None:
        """Lock the rows of the holds of these resources."""
        execute(
            self.alias,
            f"SELECT 1 FROM {self._hold} WHERE resource = ANY(%s::text[]) ORDER BY resource FOR UPDATE",
            as_array(resources),
        )

    def hand_over(self, claims: Sequence[LockClaim]) -> dict[str, Wake]:
        """End these claims: delete their turns, and hand what they hold to the next turn. Return that, by resource.

        `lock` comes first, as a statement of its own: the snapshot of this one must be younger than the row locks. An
        older one would not show a turn that was written while `lock` waited, and the hold would be deleted.
        """
        found = execute(
            self.alias,
            f"WITH given AS (SELECT * FROM {_CLAIMED}), "
            f"ended AS (DELETE FROM {self._turn} AS turn USING given "
            "WHERE turn.saga_id = given.saga_id AND turn.step = given.step), "
            f"mine AS (SELECT resource FROM {self._hold} JOIN given USING (resource, saga_id)), "
            f"first AS (DELETE FROM {self._turn} WHERE id IN ("
            f"SELECT min(id) FROM {self._turn} WHERE resource IN (SELECT resource FROM mine) "
            "AND (saga_id, step) NOT IN (SELECT saga_id, step FROM given) GROUP BY resource"
            ") RETURNING id, resource, saga_id, step), "
            f"handed AS (UPDATE {self._hold} AS hold SET saga_id = first.saga_id, step = first.step, turn = first.id, "
            f"since = now(), fence = nextval('{self.tables.fences}') FROM first WHERE hold.resource = first.resource), "
            f"freed AS (DELETE FROM {self._hold} WHERE resource IN (SELECT resource FROM mine) "
            "AND resource NOT IN (SELECT resource FROM first)) "
            "SELECT resource, saga_id, step FROM first",
            as_rows(map(vars, claims)),
        )
        return {resource: Wake(saga_id, step) for resource, saga_id, step in found}

    def guard(self, fences: Mapping[str, int]) -> dict[str, int]:
        """Raise the guard of each resource to this fence. Leave out of the answer those whose guard is higher."""
        guard = self.tables.guard._meta.db_table
        found = execute(
            self.alias,
            f"INSERT INTO {guard} AS guard (resource, fence) "
            "SELECT resource, fence FROM jsonb_to_recordset(%s::jsonb) AS given(resource text, fence bigint) "
            "ORDER BY resource ON CONFLICT (resource) DO UPDATE SET fence = excluded.fence "
            "WHERE guard.fence <= excluded.fence RETURNING resource, fence",
            as_rows({"resource": resource, "fence": fence} for resource, fence in fences.items()),
        )
        return dict(found)

    def next_fence(self) -> int:
        """Return a fence that is higher than all that were given before."""
        [(fence,)] = execute(self.alias, f"SELECT nextval('{self.tables.fences}')")
        return int(fence)

    def held(self, resource: str | None = None, *, limit: int | None = None) -> list[HeldLock]:
        """Return the holds, the oldest first; with `resource` only its hold."""
        condition, parameters = _of(resource)
        found = execute(
            self.alias,
            f"SELECT {_HELD} FROM {self._hold} {condition} ORDER BY since, resource LIMIT %s",
            *parameters,
            limit,
        )
        return [HeldLock(*each) for each in found]

    def queued(self, resource: str | None = None, *, limit: int | None = None) -> list[QueuedTurn]:
        """Return the turns by resource, the next first; with `resource` only those of its queue."""
        condition, parameters = _of(resource)
        found = execute(
            self.alias,
            "SELECT resource, saga_id, step, since, now() - since, "
            "row_number() OVER (PARTITION BY resource ORDER BY id) - 1 "
            f"FROM {self._turn} {condition} ORDER BY resource, id LIMIT %s",
            *parameters,
            limit,
        )
        return [QueuedTurn(*each) for each in found]

    def _with_fences(self, resources: Collection[str]) -> dict[str, HeldLock]:
        """Draw the fences of new holds, now that this transaction has locked their rows.

        A fence drawn by the INSERT could be lower than one that another saga got while the INSERT waited.
        """
        if not resources:
            return {}
        found = execute(
            self.alias,
            f"UPDATE {self._hold} SET fence = nextval('{self.tables.fences}') WHERE resource = ANY(%s::text[]) "
            f"RETURNING {_HELD}",
            as_array(resources),
        )
        return {each[0]: HeldLock(*each) for each in found}

    @property
    def _hold(self) -> str:
        return _table(self.tables.hold, self.alias)

    @property
    def _turn(self) -> str:
        return _table(self.tables.turn, self.alias)


class NoLockTables(TypeError):
    """The service has no tables for locks. Give its `Participant` `locks=LockTables(…)`."""


def _table(model: type[Model] | None, alias: str) -> str:
    if model is None:
        raise NoLockTables(f"{alias}: {NoLockTables.__doc__}")
    return model._meta.db_table


def _of(resource: str | None) -> tuple[str, tuple[str, ...]]:
    return ("", ()) if resource is None else ("WHERE resource = %s", (resource,))
