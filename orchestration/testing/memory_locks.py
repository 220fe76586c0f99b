"""A service's locks in memory, in the transactions of `MemoryRows`. They behave as `LockTable` does."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from orchestration.participant.lock_store import HeldLock, LockClaim, QueuedTurn, Wake


class MemoryTransaction(Protocol):
    """What the locks use of the ledger beside them."""

    now: Callable[[], datetime]

    def put(self, table: dict[Any, Any], key: Any, value: Any, /) -> None: ...

    def answer(self) -> None: ...


@dataclass(frozen=True)
class MemoryTurn:
    """One turn; its key is its id."""

    claim: LockClaim
    since: datetime


class MemoryLocks:
    """A `Locks` of one service. As in PostgreSQL, a rollback does not give back fences and ids of turns."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self.holds: dict[str, HeldLock] = {}
        self.turns: dict[int, MemoryTurn] = {}
        self.guards: dict[str, int] = {}
        self._transaction = transaction
        self._fence = self._turn = 0

    def hold(self, claims: Sequence[LockClaim]) -> dict[str, HeldLock]:
        self._transaction.answer()
        for claim in claims:
            if claim.resource not in self.holds:
                hold = HeldLock(claim.resource, claim.saga_id, claim.step, self.next_fence(), self._transaction.now())
                self._transaction.put(self.holds, claim.resource, hold)
        return {claim.resource: self.holds[claim.resource] for claim in claims}

    def queue(self, claims: Sequence[LockClaim]) -> dict[UUID, QueuedTurn]:
        self._transaction.answer()
        for claim in claims:
            if not self._ids_of([claim]):
                self._turn += 1
                self._transaction.put(self.turns, self._turn, MemoryTurn(claim, self._transaction.now()))
        sagas = {claim.saga_id for claim in claims}
        return {each.saga_id: each for each in self.queued() if each.saga_id in sagas}

    def leave(self, claims: Sequence[LockClaim]) -> None:
        self._transaction.answer()
        for turn_id in self._ids_of(claims):
            self._transaction.put(self.turns, turn_id, None)

    def lock(self, resources: Collection[str]) -> None:
        """Lock nothing: there is one thread."""
        self._transaction.answer()

    def hand_over(self, claims: Sequence[LockClaim]) -> dict[str, Wake]:
        self.leave(claims)
        wakes: dict[str, Wake] = {}
        for claim in claims:
            hold = self.holds.get(claim.resource)
            if hold is None or hold.saga_id != claim.saga_id:
                continue
            queue = sorted(each for each, turn in self.turns.items() if turn.claim.resource == claim.resource)
            self._transaction.put(self.holds, claim.resource, self._next(queue[0]) if queue else None)
            if queue:
                wakes[claim.resource] = Wake(self.holds[claim.resource].saga_id, self.holds[claim.resource].step)
        return wakes

    def guard(self, fences: Mapping[str, int]) -> dict[str, int]:
        self._transaction.answer()
        raised = {each: fence for each, fence in fences.items() if self.guards.get(each, fence) <= fence}
        for resource, fence in raised.items():
            self._transaction.put(self.guards, resource, fence)
        return raised

    def next_fence(self) -> int:
        self._transaction.answer()
        self._fence += 1
        return self._fence

    def held(self, resource: str | None = None, *, limit: int | None = None) -> list[HeldLock]:
        found = [hold for hold in self.holds.values() if resource in (None, hold.resource)]
        return sorted(found, key=lambda hold: (hold.since, hold.resource))[:limit]

    def queued(self, resource: str | None = None, *, limit: int | None = None) -> list[QueuedTurn]:
        found: list[QueuedTurn] = []
        for _, turn in sorted(self.turns.items(), key=lambda item: (item[1].claim.resource, item[0])):
            claim, waited = turn.claim, self._transaction.now() - turn.since
            before = sum(each.resource == claim.resource for each in found)
            if resource in (None, claim.resource):
                found.append(QueuedTurn(claim.resource, claim.saga_id, claim.step, turn.since, waited, before))
        return found[:limit]

    def _next(self, turn_id: int) -> HeldLock:
        claim = self.turns[turn_id].claim
        self._transaction.put(self.turns, turn_id, None)
        return HeldLock(claim.resource, claim.saga_id, claim.step, self.next_fence(), self._transaction.now(), turn_id)

    def _ids_of(self, claims: Sequence[LockClaim]) -> list[int]:
        steps = {(claim.saga_id, claim.step) for claim in claims}
        return [each for each, turn in self.turns.items() if (turn.claim.saga_id, turn.claim.step) in steps]
