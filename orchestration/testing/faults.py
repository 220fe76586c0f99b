"""What can be done to a simulated saga at its boundaries, and to its messages."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from django.db import OperationalError as DatabaseError
from kombu.exceptions import OperationalError as BrokerError

from orchestration.failpoints import COMMITS, Boundary, Faults, Point


class Crash(BaseException):
    """The process is killed here. No `except Exception` may catch it."""


class Kind(StrEnum):
    KILL_BEFORE = "kill before"
    KILL_AFTER = "kill after"
    LOST_REPLY = "lost reply"
    DUPLICATE = "duplicate"
    LOST = "lost"
    DELAY = "delay"
    REORDER = "reorder"


FITTING: dict[Boundary, tuple[Kind, ...]] = {
    **dict.fromkeys(COMMITS, (Kind.KILL_BEFORE, Kind.KILL_AFTER, Kind.LOST_REPLY)),
    Boundary.PUBLISH: tuple(Kind),
    Boundary.ACK: (Kind.KILL_BEFORE, Kind.KILL_AFTER),
    Boundary.CALL: (Kind.KILL_BEFORE, Kind.KILL_AFTER, Kind.LOST_REPLY, Kind.DUPLICATE),
    Boundary.FIND: (Kind.KILL_BEFORE, Kind.KILL_AFTER, Kind.LOST_REPLY),
}
"""What can happen at each boundary."""


class Fate(StrEnum):
    """What the network does with a message that the broker has confirmed."""

    DELIVERED = "delivered"
    LOST = "lost"
    DELAYED = "delayed"
    """It arrives after the saga's deadline."""
    OVERTAKEN = "overtaken"
    """It arrives after everything that is under way."""


_FATES = {Kind.LOST: Fate.LOST, Kind.DELAY: Fate.DELAYED, Kind.REORDER: Fate.OVERTAKEN}


@dataclass(frozen=True)
class Fault:
    """One fault at one point: the `nth` time (from 1) that it is crossed."""

    point: str
    kind: Kind
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.kind} at {self.point}" + (f" #{self.nth}" if self.nth > 1 else "")


def lost_reply(boundary: Boundary) -> Exception:
    """What one sees who crossed the boundary and never heard that he had."""
    if boundary is Boundary.PUBLISH:
        return BrokerError("the confirm was lost")
    if boundary in COMMITS:
        return DatabaseError("the reply to COMMIT was lost")
    return TimeoutError("no answer")


class Disturbance(Faults, Protocol):
    """Faults at boundaries, and what becomes of messages."""

    def fate(self, point: Point) -> Fate:
        """What becomes of the message that is being published."""


@dataclass
class Plan:
    """Faults that are to happen, each once; beside them it remembers everything that was crossed."""

    faults: Sequence[Fault] = ()
    crossed: list[Point] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    fired: list[Fault] = field(default_factory=list)

    def before(self, point: Point) -> None:
        self.crossed.append(point)
        self.counted[str(point)] += 1
        if self._takes(point, Kind.KILL_BEFORE):
            raise Crash

    def after(self, point: Point) -> None:
        if self._takes(point, Kind.KILL_AFTER):
            raise Crash
        if self._takes(point, Kind.LOST_REPLY):
            raise lost_reply(point.boundary)

    def times(self, point: Point) -> int:
        return 2 if self._takes(point, Kind.DUPLICATE) else 1

    def fate(self, point: Point) -> Fate:
        """What becomes of the message that is being published."""
        return next((fate for kind, fate in _FATES.items() if self._takes(point, kind)), Fate.DELIVERED)

    def _takes(self, point: Point, kind: Kind) -> bool:
        fault = Fault(str(point), kind, self.counted[str(point)])
        if fault not in self.faults or fault in self.fired:
            return False
        self.fired.append(fault)
        return True
