"""Test tokens: texts in a request that select faults of a sandbox. docs/sandbox.md lists them."""

import re
from dataclasses import dataclass
from enum import StrEnum


class NetworkFault(StrEnum):
    """The faults that every sandbox has. N is the number of seconds of a delay, or the number of calls that fail."""

    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    LATE = "late_N"
    ARRIVES_LATE = "arrives_late_N"
    FAIL = "fail_N"


@dataclass(frozen=True)
class Behaviour:
    """The behaviour that a test token selects: a trait and its number N; 0 if the trait has none."""

    trait: StrEnum
    number: int = 0

    def fails(self, trait: StrEnum, nth_call: int) -> bool:
        """Return whether the `nth_call` (from 1) of the operation that `trait` concerns must fail."""
        return self.trait is trait and nth_call <= self.number


class Tokens:
    """The test tokens of one sandbox: a prefix, then a `NetworkFault` or one of the sandbox's own traits.

    N in a trait's value stands for one to five digits.
    """

    def __init__(self, prefix: str, own: type[StrEnum]) -> None:
        traits: tuple[StrEnum, ...] = (*NetworkFault, *own)
        self._patterns = [(trait, re.compile(prefix + trait.replace("_N", r"_(\d{1,5})"))) for trait in traits]

    def read(self, text: str) -> Behaviour | None:
        """Return the behaviour that the text selects; None if it is no test token."""
        for trait, pattern in self._patterns:
            if match := pattern.fullmatch(text):
                return Behaviour(trait, *map(int, match.groups()))
        return None
