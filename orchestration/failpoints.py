"""Failpoints: named places in the work of a saga where tests may kill, repeat or lose a reply.

Nothing happens at them unless somebody has armed this process, which only a process that `settings.FAULT_POINTS` allows
it can be; production settings refuse to be read with that on.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

T = TypeVar("T")


class FailpointKind(StrEnum):
    START = "start"
    """The commit of a new saga; its subject is the definition's name."""
    DECIDE = "decide"
    """The commit of a compare-and-set and its log entries; its subject is the event."""
    LEASE = "lease"
    """The commit by which recovery takes due sagas."""
    PUBLISH = "publish"
    """A message to the broker, from its sending to its confirm; its subject is the task."""
    ACK = "ack"
    """The end of a message; its subject is the task."""
    COMMIT = "commit"
    """A participant's effect and its ledger row; its subject here and below is the command."""
    CLAIM = "claim"
    """The commit of *started*, before a call outside."""
    UNDOING = "undoing"
    """The commit of *undoing*, before a reversing call outside."""
    CALL = "call"
    """A call outside that changes something there."""
    FIND = "find"
    """A question to the other side, what became of a call."""
    CONCLUDE = "conclude"
    """The commit of what a call outside came to."""


COMMITS = frozenset(FailpointKind) - {FailpointKind.PUBLISH, FailpointKind.ACK, FailpointKind.CALL, FailpointKind.FIND}


@dataclass(frozen=True)
class Failpoint:
    """One crossing. `sagas` is whose work it is; recovery fills it while it takes them."""

    kind: FailpointKind
    subject: str
    sagas: Collection[UUID] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class Faults(Protocol):
    """What is done at the failpoints; both may end the process, or raise what the other side of the failpoint would."""

    def before(self, failpoint: Failpoint) -> None:
        """It has not been crossed."""

    def after(self, failpoint: Failpoint) -> None:
        """It has been crossed, and nobody has been told."""

    def times(self, failpoint: Failpoint) -> int:
        """How often it is crossed: once, unless a message is doubled or lost on its way. Never asked about commits."""


class NotAllowed(RuntimeError):
    """SHOP_FAULT_POINTS is off: nothing may be done at the failpoints of this process."""


_armed: Faults | None = None


def arm(faults: Faults | None) -> None:
    """Have the faults happen in this process from now on; with None, nothing.

    :raises NotAllowed: unless the settings allow it.
    """
    global _armed
    from django.conf import settings

    if not settings.FAULT_POINTS:
        raise NotAllowed(NotAllowed.__doc__)
    _armed = faults


@contextmanager
def armed(faults: Faults) -> Iterator[None]:
    """The same, for a while."""
    arm(faults)
    try:
        yield
    finally:
        arm(None)


def is_armed() -> bool:
    """Whether anything can happen here."""
    return _armed is not None


def before(failpoint: Failpoint) -> None:
    """Say that the failpoint is about to be crossed."""
    if _armed is not None:
        _armed.before(failpoint)


def after(failpoint: Failpoint) -> None:
    """Say that it has been crossed."""
    if _armed is not None:
        _armed.after(failpoint)


def times(failpoint: Failpoint) -> int:
    """How often it is to be crossed."""
    return 1 if _armed is None else _armed.times(failpoint)


def cross(kind: FailpointKind, subject: str, sagas: Collection[UUID], act: Callable[[], T]) -> T | None:
    """Do what passes a failpoint: `act`, whose result is given back; None when it was lost on its way."""
    if _armed is None:
        return act()
    failpoint = Failpoint(kind, subject, sagas)
    _armed.before(failpoint)
    try:
        results = [act() for _ in range(_armed.times(failpoint))]
        return results[-1] if results else None
    finally:
        _armed.after(failpoint)  # a refusal or an error is a reply as well
