"""Faults of a simulation: at failpoints, and of messages."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from django.db import OperationalError as DatabaseError
from kombu.exceptions import OperationalError as BrokerError

from orchestration.failpoints import COMMITS, Failpoint, FailpointKind, Faults


class Crash(BaseException):
    """The process is killed here. No `except Exception` may catch it."""


class FaultType(StrEnum):
    KILL_BEFORE = "kill before"
    KILL_AFTER = "kill after"
    LOST_REPLY = "lost reply"
    DUPLICATE = "duplicate"
    LOST = "lost"
    DELAY = "delay"
    REORDER = "reorder"


FITTING: dict[FailpointKind, tuple[FaultType, ...]] = {
    **dict.fromkeys(COMMITS, (FaultType.KILL_BEFORE, FaultType.KILL_AFTER, FaultType.LOST_REPLY)),
    FailpointKind.PUBLISH: tuple(FaultType),
    FailpointKind.ACK: (FaultType.KILL_BEFORE, FaultType.KILL_AFTER),
    FailpointKind.CALL: (FaultType.KILL_BEFORE, FaultType.KILL_AFTER, FaultType.LOST_REPLY, FaultType.DUPLICATE),
    FailpointKind.FIND: (FaultType.KILL_BEFORE, FaultType.KILL_AFTER, FaultType.LOST_REPLY),
}
"""The faults that are possible at each kind of failpoint."""


class Fate(StrEnum):
    """What the network does with a message that the broker has confirmed."""

    DELIVERED = "delivered"
    LOST = "lost"
    DELAYED = "delayed"
    """It arrives after the saga's deadline."""
    OVERTAKEN = "overtaken"
    """It arrives after all other messages that are in the broker."""


_FATES = {FaultType.LOST: Fate.LOST, FaultType.DELAY: Fate.DELAYED, FaultType.REORDER: Fate.OVERTAKEN}


@dataclass(frozen=True)
class Fault:
    """One fault, at the `nth` time (from 1) that a failpoint is crossed."""

    failpoint: str
    kind: FaultType
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.kind} at {self.failpoint}" + (f" #{self.nth}" if self.nth > 1 else "")


def lost_reply(kind: FailpointKind) -> Exception:
    """Return the error that a caller sees when the work at the failpoint was done but its reply was lost."""
    if kind is FailpointKind.PUBLISH:
        return BrokerError("the confirm was lost")
    if kind in COMMITS:
        return DatabaseError("the reply to COMMIT was lost")
    return TimeoutError("no answer")


class Disturbance(Faults, Protocol):
    """Decides on faults at failpoints and on the fates of messages."""

    def fate(self, failpoint: Failpoint) -> Fate:
        """Return what the network does with the message that is being published."""


@dataclass
class Plan:
    """A `Disturbance` with planned faults, each of which happens once. It also records every crossed failpoint."""

    faults: Sequence[Fault] = ()
    crossed: list[Failpoint] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    fired: list[Fault] = field(default_factory=list)

    def before(self, failpoint: Failpoint) -> None:
        self.crossed.append(failpoint)
        self.counted[str(failpoint)] += 1
        if self._takes(failpoint, FaultType.KILL_BEFORE):
            raise Crash

    def after(self, failpoint: Failpoint) -> None:
        if self._takes(failpoint, FaultType.KILL_AFTER):
            raise Crash
        if self._takes(failpoint, FaultType.LOST_REPLY):
            raise lost_reply(failpoint.kind)

    def times(self, failpoint: Failpoint) -> int:
        return 2 if self._takes(failpoint, FaultType.DUPLICATE) else 1

    def fate(self, failpoint: Failpoint) -> Fate:
        """Return what the network does with the message that is being published."""
        return next((fate for kind, fate in _FATES.items() if self._takes(failpoint, kind)), Fate.DELIVERED)

    def _takes(self, failpoint: Failpoint, kind: FaultType) -> bool:
        if all(fault.kind is not kind for fault in self.faults):  # true for most plans, so this cheap check comes first
            return False
        fault = Fault(str(failpoint), kind, self.counted[str(failpoint)])
        if fault not in self.faults or fault in self.fired:
            return False
        self.fired.append(fault)
        return True
