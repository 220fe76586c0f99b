"""Reading the sandbox gateway's test tokens."""

import pytest

from orchestration.participant.sandbox.tokens import Behaviour, NetworkFault
from payments.gateways.port import AuthorisationRequest
from payments.gateways.sandbox.behaviour import TOKENS, Trait


@pytest.mark.parametrize(
    ("token", "behaviour"),
    [
        ("tok_ok", Behaviour(Trait.OK)),
        ("tok_timeout_after", Behaviour(NetworkFault.TIMEOUT_AFTER)),
        ("tok_late_2", Behaviour(NetworkFault.LATE, 2)),
        ("tok_arrives_late_60", Behaviour(NetworkFault.ARRIVES_LATE, 60)),
        ("tok_capture_declined", Behaviour(Trait.CAPTURE_DECLINED)),
        ("tok_capture_fail_3", Behaviour(Trait.CAPTURE_FAIL, 3)),
        ("tok_refund_fail_2", Behaviour(Trait.REFUND_FAIL, 2)),
        ("tok_refund_pending_60", Behaviour(Trait.REFUND_PENDING, 60)),
        ("tok_refund_pending_fails_60", Behaviour(Trait.REFUND_PENDING_FAILS, 60)),
        ("tok_refund_fails_late_0", Behaviour(Trait.REFUND_FAILS_LATE, 0)),
    ],
)
def test_a_token_names_a_behaviour(token: str, behaviour: Behaviour) -> None:
    assert TOKENS.read(token) == behaviour


@pytest.mark.parametrize("token", ["", "ok", "tok_", "tok_okay", "tok_late", "tok_ok_1", "tok_late_x", "tok_ok\n"])
def test_anything_else_is_no_test_token(token: str) -> None:
    assert TOKENS.read(token) is None


def test_a_failing_token_fails_as_often_as_it_says() -> None:
    behaviour = Behaviour(NetworkFault.FAIL, 2)
    assert TOKENS.read("tok_fail_2") == behaviour
    assert [behaviour.fails(NetworkFault.FAIL, nth_call) for nth_call in (1, 2, 3)] == [True, True, False]


def test_a_failing_token_fails_only_its_own_operation() -> None:
    assert not Behaviour(NetworkFault.FAIL, 2).fails(Trait.VOID_FAIL, 1)


def test_a_payment_method_does_not_show_in_logs() -> None:
    assert "tok_ok" not in repr(AuthorisationRequest("order", 100, "GBP", "tok_ok"))
