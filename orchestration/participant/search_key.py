"""Finds sagas by values that only a service knows: a gateway's reference, a tracking number, an e-mail address."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Found:
    """The sagas found, and customers all of whose sagas are meant."""

    saga_ids: frozenset[UUID] = frozenset()
    customer_ids: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Finder:
    """A way to find sagas. `what` names the value for people. `find` looks it up exactly, by an index."""

    what: str
    find: Callable[[str], Found]
