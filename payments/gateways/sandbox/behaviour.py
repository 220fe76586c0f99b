"""What a test token asks of the sandbox gateway; docs/sandbox.md lists them."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Trait(StrEnum):
    OK = "ok"
    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    LATE = "late"
    ARRIVES_LATE = "arrives_late"
    FAIL = "fail"
    CAPTURE_FAIL = "capture_fail"
    VOID_FAIL = "void_fail"
    CAPTURE_DECLINED = "capture_declined"


_NUMBERED = frozenset({Trait.LATE, Trait.ARRIVES_LATE, Trait.FAIL, Trait.CAPTURE_FAIL, Trait.VOID_FAIL})
_TOKEN = re.compile(rf"tok_({'|'.join(Trait)})(?:_(\d{{1,5}}))?")


class NotATestToken(ValueError):
    """The sandbox does not know this payment method."""


@dataclass(frozen=True)
class Behaviour:
    """A trait and its number: seconds for late ones, calls for failing ones."""

    trait: Trait
    number: int = 0

    def fails(self, trait: Trait, nth_call: int) -> bool:
        """Whether the `nth_call` (from 1) of the operation that `trait` is about must fail."""
        return self.trait is trait and nth_call <= self.number


def behaviour_of(token: str) -> Behaviour:
    """:raises NotATestToken: when it is none."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise NotATestToken
    trait = Trait(match[1])
    if (trait in _NUMBERED) != (match[2] is not None):
        raise NotATestToken
    return Behaviour(trait, int(match[2] or 0))
