"""Finds deadlocks among sagas that wait for each other, and chooses the saga to give up. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from orchestration.protocol.saga import Saga

DEADLOCK = "deadlock"
"""The failure code of a victim."""
MOST_RETRIES = 3
"""How often the work of a victim is tried again automatically."""
_KEY_SUFFIX = "\x1f"
"""Begins the suffix of a successor's idempotency key. Keys of clients are printable, so none contains it."""


@dataclass(frozen=True)
class Member:
    """A saga of a deadlock, with what is lost when it is given up.

    `external_done` counts its done steps that have called an external system: undoing each costs another call, and
    customers may see it. `victim_count` is how often its work was given up for a deadlock before.
    """

    saga_id: UUID
    done: int
    external_done: int
    victim_count: int


@dataclass(frozen=True)
class Victim:
    """The saga to give up, and why this one, in words for operators."""

    saga_id: UUID
    reason: str


def cycles(edges: Mapping[UUID, UUID]) -> list[tuple[UUID, ...]]:
    """Return each cycle once, from its smallest id on, without the sagas that only wait for a member of it.

    `edges` maps each waiting saga to the saga that it waits for. A saga waits for one other at a time.
    """
    found, seen = [], set[UUID]()
    for start in sorted(edges):
        path: dict[UUID, int] = {}
        at = start
        while at in edges and at not in seen:
            seen.add(at)
            path[at] = len(path)
            at = edges[at]
        if at in path:  # else it ends, or joins a path that was followed before
            found.append(_from_smallest(tuple(path)[path[at] :]))
    return sorted(found)


def is_retried(failure: Mapping[str, Any] | None, victim_count: int) -> bool:
    """Return whether the work of a saga that is given up for this failure is tried again, if time is left."""
    return (failure or {}).get("code") == DEADLOCK and victim_count < MOST_RETRIES


def successor_key(key: str, count: int) -> str:
    """Return the idempotency key of the saga that tries this work again for the `count`th time."""
    return f"{key_of_client(key)}{_KEY_SUFFIX}{count}"


def key_of_client(key: str) -> str:
    """Return the idempotency key that the client sent. A successor's key extends it."""
    return key.partition(_KEY_SUFFIX)[0]


def external_steps(saga: Saga) -> frozenset[str]:
    """Return the steps whose contract says that they call an external system."""
    return frozenset(step.name for step in saga.steps if step.action.external)


def choose_victim(members: Sequence[Member]) -> Victim:
    """Return the member whose end loses the least work. Every detector chooses the same.

    A saga without retries left comes last. Then count the fewest external steps done, the fewest steps done, the
    youngest (the greatest UUIDv7).
    """
    ordered = sorted(members, key=_loss)
    chosen, others = ordered[0], ordered[1:]
    return Victim(chosen.saga_id, _reason(chosen, others))


def _from_smallest(cycle: tuple[UUID, ...]) -> tuple[UUID, ...]:
    first = cycle.index(min(cycle))
    return cycle[first:] + cycle[:first]


def _loss(member: Member) -> tuple[bool, int, int, int]:
    return (member.victim_count >= MOST_RETRIES, member.external_done, member.done, -member.saga_id.int)


def _reason(chosen: Member, others: Sequence[Member]) -> str:
    """Name the first criterion that sets the victim apart from the next saga in the order."""
    following = others[0] if others else chosen
    if (chosen.victim_count >= MOST_RETRIES) != (following.victim_count >= MOST_RETRIES):
        return "the others have no automatic retry left"
    if chosen.external_done != following.external_done:
        return "fewest external steps done"
    if chosen.done != following.done:
        return "fewest steps done"
    return "the youngest"
