"""How sagas are found by something that only a service knows: a gateway's reference, a tracking number, an e-mail."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Found:
    """Sagas, and customers of whom every saga is meant."""

    saga_ids: frozenset[UUID] = frozenset()
    customer_ids: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Finder:
    """`what` is what can be typed, in words; `find` looks it up exactly, by an index, and gives what is known by it."""

    what: str
    find: Callable[[str], Found]
