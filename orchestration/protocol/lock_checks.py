"""Checks of the locks that the steps of a saga definition take, use and release. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from uuid import UUID

from orchestration.contracts.command import Action, Lock, field_types

KEYS = (str, UUID, int)
"""The types of facts that a lock may be taken by."""


@dataclass(frozen=True)
class LockChecks:
    """Finds what is wrong with the locks of one saga definition, from its actions in order.

    A saga takes its locks before its pivot, and releases them after it or when it is compensated. So a saga that waits
    for a lock can always be made to release its own, and no lock outlives the saga.
    """

    actions: Sequence[Action]
    pivot_position: int
    facts: Mapping[str, object]
    """The facts of the request: name to type."""
    deadline: timedelta

    def faults(self) -> Iterator[str]:
        """Yield one sentence for each fault. It names the step and the lock."""
        for position, action in enumerate(self.actions):
            if action.holds is not None:
                yield from self._faults_of_taking(position, action, action.holds)
            if action.releases is not None:
                yield from self._faults_of_releasing(position, action, action.releases)
            if action.under is not None:
                yield from self._faults_of_acting_under(position, action, action.under)

    def _faults_of_taking(self, position: int, action: Action, lock: Lock) -> Iterator[str]:
        taken = f"{action.step} takes the lock {lock.name}"
        if position >= self.pivot_position:
            yield f"{taken}, but not before the pivot: the saga could not be made to release it"
        if self._takes(lock, self.actions[:position]):
            yield f"{taken} by {lock.by}, which an earlier step takes"
        known = self._known_at(position)
        if lock.by not in known:
            yield f"{taken} by {lock.by}, which no earlier step provides"
        elif known[lock.by] not in KEYS:
            yield f"{taken} by {lock.by}, which is {known[lock.by]}, not a str, UUID or int"
        if not timedelta(0) <= lock.patience < self.deadline:
            yield f"{taken} with a patience of {lock.patience}, which is not from zero to below the deadline"
        releasing = [each for each in self.actions[self.pivot_position + 1 :] if _is_same(each.releases, lock)]
        if not releasing:
            yield f"{taken}, and no step after the pivot releases it"
        for each in releasing:
            if each.service != action.service:
                yield f"{each.step} releases the lock {lock.name}, which is kept at {action.service}"

    def _faults_of_releasing(self, position: int, action: Action, lock: Lock) -> Iterator[str]:
        released = f"{action.step} releases the lock {lock.name}"
        if position <= self.pivot_position:
            yield f"{released} before the saga is past its pivot"
        if not self._takes(lock, self.actions[: self.pivot_position]):
            yield f"{released}, which no step before the pivot takes"
        if any(_is_same(each.releases, lock) for each in self.actions[:position]):
            yield f"{released}, which an earlier step releases"

    def _faults_of_acting_under(self, position: int, action: Action, lock: Lock) -> Iterator[str]:
        under = f"{action.step} acts under the lock {lock.name}"
        if not self._takes(lock, self.actions[:position]):
            yield f"{under}, which no earlier step takes"
        if any(_is_same(each.releases, lock) for each in self.actions[:position]):
            yield f"{under}, which an earlier step releases"
        needed = field_types(action.request)
        if lock.by not in needed:
            yield f"{under}, but its request has no field {lock.by}"
        if needed.get(lock.fence_field) is not int:
            yield f"{under}, but its request has no field {lock.fence_field} of type int"

    def _known_at(self, position: int) -> dict[str, object]:
        known = dict(self.facts)
        for earlier in self.actions[:position]:
            known |= earlier.provides
        return known

    @staticmethod
    def _takes(lock: Lock, actions: Sequence[Action]) -> bool:
        return any(_is_same(each.holds, lock) for each in actions)


def opposite_orders(orders: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str, str, str]]:
    """Yield (definition, other definition, lock, other lock) where the first takes the locks in this order.

    The other definition takes them in the opposite order, so two such sagas may wait for each other. `orders` has the
    names of the locks that each definition takes, in order, by the definition's name.
    """
    for (one, taken), (other, taken_by_other) in combinations(orders.items(), 2):
        opposite = {(first, second) for second, first in combinations(taken_by_other, 2) if first != second}
        yield from ((one, other, *pair) for pair in dict.fromkeys(combinations(taken, 2)) if pair in opposite)


def _is_same(lock: Lock | None, other: Lock) -> bool:
    """Return whether both guard the same resource. How long sagas wait for it may differ."""
    return lock is not None and (lock.name, lock.by) == (other.name, other.by)
