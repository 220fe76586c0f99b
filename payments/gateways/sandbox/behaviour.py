"""The effects of test tokens on the sandbox gateway; docs/sandbox.md lists them."""

from enum import StrEnum

from orchestration.participant.sandbox.tokens import Tokens


class Trait(StrEnum):
    OK = "ok"
    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    CAPTURE_FAIL = "capture_fail_N"
    VOID_FAIL = "void_fail_N"
    CAPTURE_DECLINED = "capture_declined"


TOKENS = Tokens("tok_", Trait)
