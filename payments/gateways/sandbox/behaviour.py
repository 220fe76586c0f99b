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
    REFUND_FAIL = "refund_fail_N"
    REFUND_TIMEOUT_BEFORE = "refund_timeout_before"
    REFUND_TIMEOUT_AFTER = "refund_timeout_after"
    REFUND_REFUSED = "refund_refused"
    REFUND_PENDING = "refund_pending_N"
    REFUND_PENDING_FAILS = "refund_pending_fails_N"
    REFUND_FAILS_LATE = "refund_fails_late_N"


TOKENS = Tokens("tok_", Trait)
