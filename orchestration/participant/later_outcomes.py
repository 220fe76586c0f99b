"""Outcomes that an external system decides after their step is done, such as a refund that fails days later."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from orchestration.participant.breaker import Breaker

T = TypeVar("T")


class LaterReading(StrEnum):
    """The result of reading one outcome. The values are the names of a round's counts."""

    SETTLED = "settled"
    UNKNOWN = "unknown"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class LaterOutcomes(Generic[T]):
    """How to read such outcomes: `due` returns a bounded number of those to read at this moment, `read` reads one.

    `read` makes one query and records what it learns. It sets the time of the next reading first, so that one that
    always fails does not hold up the others.
    """

    breaker: Breaker
    due: Callable[[datetime], Iterable[T]]
    read: Callable[[T, datetime], LaterReading]
