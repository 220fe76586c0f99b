"""The pace of a batch: a few members first, then the others, until too many of them fail. Pure."""

from dataclasses import dataclass
from enum import StrEnum, auto

SLOWEST, FASTEST = 0.01, 1_000
"""The limits of `per_second`."""


@dataclass(frozen=True)
class Pace:
    """The pace of a batch: `canary` members go first. When their outcomes are known, the others follow at `per_second`.

    The batch stops automatically when more than `stop_above_percent` of the members with a known outcome failed. This
    is checked about once a second, so the members of one more second may fail.
    """

    canary: int = 5
    per_second: float = 5.0
    stop_above_percent: float = 20.0

    def __post_init__(self) -> None:
        if self.canary < 0 or self.per_second <= 0 or not 0 <= self.stop_above_percent <= 100:
            raise ValueError(f"not a pace for a batch: {self}")


@dataclass(frozen=True)
class Tally:
    """The number of members for each outcome. Without `canary_open`, the numbers add up to all members."""

    to_do: int = 0
    passed_over: int = 0
    """They did not meet the filter any more when it was their turn."""
    refused: int = 0
    """Refused by the state of the saga."""
    under_way: int = 0
    """The action was taken; its outcome is not observed yet."""
    worked: int = 0
    failed: int = 0
    canary_open: int = 0
    """Members of the canary that are to do or under way. They are counted there as well."""

    @property
    def failed_percent(self) -> float:
        """The percentage of failed members among those with a known outcome."""
        known = self.worked + self.failed
        return 100 * self.failed / known if known else 0.0


class Verdict(StrEnum):
    GO_ON = auto()
    STOP = auto()
    FINISH = auto()


def verdict(pace: Pace, tally: Tally) -> Verdict:
    """Decide whether the batch continues, stops or is finished. A canary is judged when all its outcomes are known."""
    if not tally.canary_open and tally.failed_percent > pace.stop_above_percent:
        return Verdict.STOP
    return Verdict.GO_ON if tally.to_do or tally.under_way else Verdict.FINISH
