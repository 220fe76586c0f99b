"""What a test token in an address asks of the sandbox carrier; docs/sandbox.md lists them."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Trait(StrEnum):
    REFUSE = "refuse"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    LATE = "late"
    ARRIVES_LATE = "arrives_late"
    FAIL = "fail"
    CANCEL_FAIL = "cancel_fail"


_NUMBERED = frozenset({Trait.LATE, Trait.ARRIVES_LATE, Trait.FAIL, Trait.CANCEL_FAIL})
_TOKEN = re.compile(rf"carrier_({'|'.join(Trait)})(?:_(\d{{1,5}}))?")


@dataclass(frozen=True)
class Behaviour:
    """A trait and its number: seconds for late ones, calls for failing ones."""

    trait: Trait
    number: int = 0

    def fails(self, trait: Trait, nth_call: int) -> bool:
        """Whether the `nth_call` (from 1) of the operation that `trait` is about must fail."""
        return self.trait is trait and nth_call <= self.number


def behaviour_of(line2: str) -> Behaviour | None:
    """Read the test token; None for an ordinary second address line."""
    match = _TOKEN.fullmatch(line2)
    if match is None:
        return None
    trait = Trait(match[1])
    if (trait in _NUMBERED) != (match[2] is not None):
        return None
    return Behaviour(trait, int(match[2] or 0))
