"""The effects of test tokens in an address on the sandbox carrier; docs/sandbox.md lists them."""

from enum import StrEnum

from orchestration.participant.sandbox.tokens import Tokens


class Trait(StrEnum):
    REFUSE = "refuse"
    COLLECTED = "collected"
    CANCEL_FAIL = "cancel_fail_N"


TOKENS = Tokens("carrier_", Trait)
