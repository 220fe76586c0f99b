"""Failpoints: named places in the work of a saga where tests may kill, repeat or lose a reply.

A failpoint does nothing until a test arms the process. Only a process with `settings.FAULT_POINTS` can be armed.
Production settings refuse to load with that setting on.
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
    GRANT = "grant"
    """The same of an action that takes a lock: it is done, or it waits for its turn."""
    LET_GO = "let_go"
    """The same of an action or a compensation that releases a lock."""
    CLAIM = "claim"
    """The commit of *started*, before an external call."""
    UNDOING = "undoing"
    """The commit of *undoing*, before an external call that reverses another."""
    CALL = "call"
    """An external call that changes something there."""
    FIND = "find"
    """A query to the external system for the outcome of a call."""
    CONCLUDE = "conclude"
    """The commit of the outcome of an external call."""


COMMITS = frozenset(FailpointKind) - {FailpointKind.PUBLISH, FailpointKind.ACK, FailpointKind.CALL, FailpointKind.FIND}


@dataclass(frozen=True)
class Failpoint:
    """One crossing of a failpoint. `sagas` are those that it works for; recovery fills it when it claims them."""

    kind: FailpointKind
    subject: str
    sagas: Collection[UUID] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class Faults(Protocol):
    """The faults to inject. `before` and `after` may end the process, or raise an error of the called system."""

    def before(self, failpoint: Failpoint) -> None:
        """Act before the failpoint is crossed."""

    def after(self, failpoint: Failpoint) -> None:
        """Act after the failpoint was crossed, before its result is reported."""

    def times(self, failpoint: Failpoint) -> int:
        """Return how often it is crossed: not once if a message is doubled or lost. Never called for commits."""


class NotAllowed(RuntimeError):
    """SHOP_FAULT_POINTS is off: nothing may be done at the failpoints of this process."""


_armed: Faults | None = None


def arm(faults: Faults | None) -> None:
    """Inject the faults in this process from now on. With None, inject nothing.

    :raises NotAllowed: unless the settings allow it.
    """
    global _armed
    from django.conf import settings

    if not settings.FAULT_POINTS:
        raise NotAllowed(NotAllowed.__doc__)
    _armed = faults


@contextmanager
def armed(faults: Faults) -> Iterator[None]:
    """Inject the faults during the block."""
    arm(faults)
    try:
        yield
    finally:
        arm(None)


def is_armed() -> bool:
    """Return whether this process is armed."""
    return _armed is not None


def before(failpoint: Failpoint) -> None:
    """Report that the failpoint is about to be crossed."""
    if _armed is not None:
        _armed.before(failpoint)


def after(failpoint: Failpoint) -> None:
    """Report that the failpoint has been crossed."""
    if _armed is not None:
        _armed.after(failpoint)


def times(failpoint: Failpoint) -> int:
    """Return how often the failpoint is to be crossed."""
    return 1 if _armed is None else _armed.times(failpoint)


def cross(kind: FailpointKind, subject: str, sagas: Collection[UUID], act: Callable[[], T]) -> T | None:
    """Run `act` across a failpoint. Return its result, or None when a fault lost it."""
    if _armed is None:
        return act()
    failpoint = Failpoint(kind, subject, sagas)
    _armed.before(failpoint)
    try:
        results = [act() for _ in range(_armed.times(failpoint))]
        return results[-1] if results else None
    finally:
        _armed.after(failpoint)  # a refusal or an error is a reply as well
