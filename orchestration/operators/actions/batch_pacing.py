"""The pace of a batch: a few members first, then the others, until too many of them fail. Pure."""

from dataclasses import dataclass
from enum import StrEnum, auto

SLOWEST, FASTEST = 0.01, 1_000
"""Members a second that may be asked for."""


@dataclass(frozen=True)
class Pace:
    """`canary` members go first. The others follow when the outcome of these is known, `per_second` of them.

    It stops by itself when more than `stop_above_percent` of those that came to something failed. That is looked at
    about once a second: as many more as go in that time may fail.
    """

    canary: int = 5
    per_second: float = 5.0
    stop_above_percent: float = 20.0

    def __post_init__(self) -> None:
        if self.canary < 0 or self.per_second <= 0 or not 0 <= self.stop_above_percent <= 100:
            raise ValueError(f"no batch can go like this: {self}")


@dataclass(frozen=True)
class Tally:
    """The number of members for each outcome; together they are all members."""

    to_do: int = 0
    passed_over: int = 0
    """Not of the filter any more when their turn came."""
    refused: int = 0
    """Refused by the state of the saga."""
    under_way: int = 0
    """Done, and not yet observed."""
    worked: int = 0
    failed: int = 0
    canary_open: int = 0
    """Of the canary those that are to do or under way; counted above as well."""

    @property
    def failed_percent(self) -> float:
        """Of those that came to something."""
        came_to = self.worked + self.failed
        return 100 * self.failed / came_to if came_to else 0.0


class Verdict(StrEnum):
    GO_ON = auto()
    STOP = auto()
    FINISH = auto()


def verdict(pace: Pace, tally: Tally) -> Verdict:
    """Decide how the batch goes on. A canary is judged as a whole."""
    if not tally.canary_open and tally.failed_percent > pace.stop_above_percent:
        return Verdict.STOP
    return Verdict.GO_ON if tally.to_do or tally.under_way else Verdict.FINISH
