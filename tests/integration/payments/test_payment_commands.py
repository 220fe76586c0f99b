"""The payments service's commands against the sandbox gateway: called, looked for, recorded."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from orchestration.contracts.payments import (
    AuthorisePayment,
    CapturePayment,
    PaymentAuthorised,
    PaymentCaptured,
    RefundPayment,
    refund_payment,
)
from orchestration.participant.breaker_registry import breaker_for
from orchestration.participant.encryption import encrypt
from orchestration.participant.external import Keys, key_of
from payments import services
from payments.gateways.port import (
    OUTAGES,
    CardDeclined,
    GatewayBroken,
    GatewayPayment,
    GatewayRefund,
    GatewayTimeout,
    NotPossible,
    PaymentStatus,
    RefundStatus,
)
from payments.gateways.sandbox.gateway import SandboxGateway
from payments.gateways.sandbox.models import Kind, Operation
from payments.models import Payment, Refund
from payments.reversal import Reversal
from payments.rows import PaymentNotAuthorised
from payments.selectors import payments_by_saga
from payments.services import AuthorisationLapsed
from tests.support.clock import Clock

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["payments", "gateway"]),
    pytest.mark.usefixtures("at_the_gateway"),
]

AUTHORISE = Keys(own="authorise", action="authorise")
CAPTURE = Keys(own="capture", action="capture")

STATUS_FOLLOWS = "payment_status_follows_from_the_amounts"

breaker = breaker_for("payments.gateway", counts=OUTAGES)
authorisation = services.PaymentAuthorisation(breaker, key_lifetime=None)
refund = services.PaymentRefund(breaker, key_lifetime=None)
capture = services.PaymentCapture(breaker, key_lifetime=None)


def asked(token: str = "tok_ok") -> dict[str, Any]:
    return {
        "saga_id": uuid4(),
        "order_id": uuid4(),
        "total_minor": 1998,
        "currency": "GBP",
        "payment_method": encrypt(token),
    }


def authorised(facts: dict[str, Any]) -> PaymentAuthorised:
    """Authorise as the kit does: call, then record in one transaction."""
    request = AuthorisePayment(**facts)
    payment = authorisation.call(request, AUTHORISE)
    with transaction.atomic(using="payments"):
        return authorisation.record_all([(request, payment)])[0]


def timed_out(facts: dict[str, Any]) -> None:
    """Authorise, and never hear what became of it."""
    with pytest.raises(GatewayTimeout):
        authorisation.call(AuthorisePayment(**facts), AUTHORISE)


def captured(facts: dict[str, Any]) -> PaymentCaptured:
    request = to_capture(facts, authorised(facts).authorisation_id)
    payment = capture.call(request, CAPTURE)
    with transaction.atomic(using="payments"):
        return capture.record_all([(request, payment)])[0]


def to_capture(facts: dict[str, Any], authorisation_id: str) -> CapturePayment:
    known = {name: value for name, value in facts.items() if name != "payment_method"}
    return CapturePayment(**known, authorisation_id=authorisation_id)


def keys_to_refund(request: RefundPayment) -> Keys:
    return Keys(own=key_of(request.saga_id, refund_payment), action="authorise")


def refunded(facts: dict[str, Any]) -> Reversal:
    """Refund as the kit does: call, then record in one transaction."""
    request = RefundPayment(**facts)
    reversal = refund.call(request, keys_to_refund(request))
    with transaction.atomic(using="payments"):
        refund.record(request, reversal)
    return reversal


def ours(saga_id: UUID) -> GatewayPayment:
    """Our row, in the gateway's terms."""
    row = payments_by_saga([saga_id])[saga_id]
    refunds = tuple(
        GatewayRefund(str(each.gateway_id), each.amount_minor, RefundStatus(each.status), key_of_refund(each))
        for each in row.refunds.order_by("pk")
    )
    assert row.refunded_minor == sum(each.amount_minor for each in refunds)
    return GatewayPayment(row.authorisation_id, PaymentStatus(row.status), row.capture_id, row.captured_minor, refunds)


def key_of_refund(refund: Refund) -> str:
    return key_of(refund.saga_id, refund_payment) if refund.origin == "ours" else "somebody else"


def kinds() -> list[str]:
    return list(Operation.objects.order_by("created_at").values_list("kind", flat=True))


def test_an_authorisation_is_held_at_the_gateway_and_written_down(gateway: SandboxGateway) -> None:
    facts = asked()
    answer = authorised(facts)
    row = Payment.objects.get(saga_id=facts["saga_id"])
    assert (row.order_id, row.amount_minor, row.currency) == (facts["order_id"], 1998, "GBP")
    assert ours(facts["saga_id"]) == gateway.look_up(answer.authorisation_id)


def test_a_decline_is_a_refusal_and_writes_nothing() -> None:
    with pytest.raises(CardDeclined):
        authorised(asked("tok_declined"))
    assert not Payment.objects.exists()


def test_an_unheard_authorisation_is_found_by_its_key(gateway: SandboxGateway) -> None:
    facts = asked("tok_timeout_after")
    timed_out(facts)
    found = authorisation.find(AuthorisePayment(**facts), AUTHORISE)
    assert found == authorisation.call(AuthorisePayment(**facts), AUTHORISE)


def test_an_authorisation_that_never_arrived_is_not_found() -> None:
    facts = asked("tok_timeout_before")
    timed_out(facts)
    assert authorisation.find(AuthorisePayment(**facts), AUTHORISE) is None


def test_an_unheard_decline_is_found_as_a_refusal() -> None:
    facts = asked("tok_declined")
    with pytest.raises(CardDeclined):
        authorisation.call(AuthorisePayment(**facts), AUTHORISE)
    with pytest.raises(CardDeclined):
        authorisation.find(AuthorisePayment(**facts), AUTHORISE)


def test_a_hold_that_was_let_go_is_not_taken_for_authorised(gateway: SandboxGateway) -> None:
    facts = asked()
    payment = authorisation.call(AuthorisePayment(**facts), AUTHORISE)
    gateway.void(payment.authorisation_id, key="somebody else")
    with pytest.raises(AuthorisationLapsed):
        authorisation.find(AuthorisePayment(**facts), AUTHORISE)


def test_a_capture_takes_the_held_money(gateway: SandboxGateway) -> None:
    facts = asked()
    answer = captured(facts)
    assert ours(facts["saga_id"]).capture_id == answer.capture_id
    assert ours(facts["saga_id"]) == gateway.look_up(ours(facts["saga_id"]).authorisation_id)


def test_a_capture_is_looked_for_at_the_gateway() -> None:
    facts = asked()
    request = to_capture(facts, authorised(facts).authorisation_id)
    assert capture.find(request, CAPTURE) is None
    payment = capture.call(request, CAPTURE)
    assert capture.find(request, CAPTURE) == payment


def test_a_capture_fails_until_the_gateway_recovers() -> None:
    facts = asked("tok_capture_fail_1")
    request = to_capture(facts, authorised(facts).authorisation_id)
    with pytest.raises(GatewayBroken):
        capture.call(request, CAPTURE)
    assert capture.find(request, CAPTURE) is None
    assert capture.call(request, CAPTURE).status == PaymentStatus.CAPTURED


def test_a_voided_hold_cannot_be_captured(gateway: SandboxGateway) -> None:
    facts = asked()
    request = to_capture(facts, authorised(facts).authorisation_id)
    gateway.void(request.authorisation_id, key="somebody else")
    with pytest.raises(AuthorisationLapsed):
        capture.find(request, CAPTURE)


def test_money_that_somebody_took_at_the_gateway_is_captured(gateway: SandboxGateway) -> None:
    facts = asked()
    request = to_capture(facts, authorised(facts).authorisation_id)
    taken = gateway.capture(request.authorisation_id, amount_minor=1998, key="somebody else")
    assert capture.call(request, CAPTURE) == taken


def test_a_capture_that_is_not_possible_says_what_became_of_the_hold(gateway: SandboxGateway) -> None:
    facts = asked()
    request = to_capture(facts, authorised(facts).authorisation_id)
    with pytest.raises(NotPossible):
        capture.call(replace(request, total_minor=1999), CAPTURE)
    gateway.void(request.authorisation_id, key="somebody else")
    with pytest.raises(AuthorisationLapsed):
        capture.call(request, CAPTURE)


def test_a_reversal_goes_by_what_the_payment_is_once_it_is_not_as_it_was_read(gateway: SandboxGateway) -> None:
    held = [authorisation.call(AuthorisePayment(**asked()), Keys(own=key, action=key)) for key in "abc"]
    gateway.void(held[0].authorisation_id, key="somebody else")
    gateway.capture(held[1].authorisation_id, amount_minor=1998, key="somebody else's")
    statuses = [services.reverse(payment, f"refund {payment.authorisation_id}").status for payment in held]
    assert statuses == ["voided", "refunded", "voided"]


def test_what_can_never_be_given_back_is_no_reversal() -> None:
    facts = asked("tok_refund_refused")
    captured(facts)
    with pytest.raises(NotPossible):
        refunded(facts)


def test_a_reversal_refunds_what_a_person_has_left_of_the_payment(gateway: SandboxGateway) -> None:
    facts = asked()
    captured(facts)
    authorisation_id = ours(facts["saga_id"]).authorisation_id
    gateway.refund(authorisation_id, amount_minor=500, key="somebody else")
    refunded(facts)
    assert ours(facts["saga_id"]) == gateway.look_up(authorisation_id)
    assert [each.amount_minor for each in ours(facts["saga_id"]).refunds] == [500, 1498]


def test_a_refund_that_the_gateway_fails_is_no_reversal(
    gateway: SandboxGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = asked()
    captured(facts)
    failed = GatewayRefund("refund_1", 1998, RefundStatus.FAILED)
    monkeypatch.setattr(gateway, "refund", lambda *_, **__: failed)
    with pytest.raises(services.RefundFailed):
        refunded(facts)


def test_a_capture_of_nothing_is_not_written_down() -> None:
    request = to_capture(asked(), "authorise_1")
    with pytest.raises(PaymentNotAuthorised):
        capture.record_all([(request, GatewayPayment("authorise_1", PaymentStatus.CAPTURED, "capture_1", 1998))])


def test_a_capture_of_a_voided_payment_is_not_written_down() -> None:
    facts = asked()
    request = to_capture(facts, authorised(facts).authorisation_id)
    refunded(facts)
    captured_there = GatewayPayment(request.authorisation_id, PaymentStatus.CAPTURED, "capture_1", 1998)
    with pytest.raises(PaymentNotAuthorised):
        capture.record_all([(request, captured_there)])


def test_a_hold_is_voided(gateway: SandboxGateway) -> None:
    facts = asked()
    answer = authorised(facts)
    assert refunded(facts).payment == gateway.look_up(answer.authorisation_id) == ours(facts["saga_id"])
    assert kinds() == [Kind.AUTHORISE, Kind.VOID]


def test_a_hold_we_wrote_down_is_voided_though_the_gateway_forgot_its_key(gateway: SandboxGateway) -> None:
    facts = asked()
    answer = authorised(facts)
    refund.call(RefundPayment(**facts), Keys(own="refund", action="forgotten"))
    assert gateway.look_up(answer.authorisation_id).status == PaymentStatus.VOIDED
    assert kinds() == [Kind.AUTHORISE, Kind.VOID]


def test_a_hold_that_somebody_else_voided_needs_no_voiding(gateway: SandboxGateway) -> None:
    facts = asked()
    gateway.void(authorised(facts).authorisation_id, key="somebody else")
    refunded(facts)
    assert ours(facts["saga_id"]).status == PaymentStatus.VOIDED
    assert kinds() == [Kind.AUTHORISE, Kind.VOID]


def test_a_capture_is_refunded_in_full(gateway: SandboxGateway) -> None:
    facts = asked()
    captured(facts)
    reversal = refunded(facts)
    assert reversal.payment == ours(facts["saga_id"])
    assert ours(facts["saga_id"]) == gateway.look_up(ours(facts["saga_id"]).authorisation_id)
    assert kinds() == [Kind.AUTHORISE, Kind.CAPTURE, Kind.REFUND]


@pytest.mark.parametrize("prepare", [authorised, captured])
def test_a_refund_repeated_changes_nothing(prepare: Any) -> None:
    facts = asked()
    prepare(facts)
    first, before = refunded(facts), kinds()
    assert refunded(facts) == first
    assert kinds() == before


def test_a_refund_after_a_decline_gives_nothing_back() -> None:
    facts = asked("tok_declined")
    with pytest.raises(CardDeclined):
        authorisation.call(AuthorisePayment(**facts), AUTHORISE)
    assert refunded(facts) == Reversal(payment=None)
    assert not Payment.objects.exists()


def test_an_unheard_hold_is_found_and_voided_and_written_down_as_voided(gateway: SandboxGateway) -> None:
    facts = asked("tok_timeout_after")
    timed_out(facts)
    refunded(facts)
    assert ours(facts["saga_id"]).status == PaymentStatus.VOIDED
    assert ours(facts["saga_id"]) == gateway.find(key=AUTHORISE.own, reference=str(facts["order_id"]))


@pytest.mark.parametrize("token", ["tok_timeout_before", "tok_arrives_late_60"])
def test_a_hold_still_on_its_way_finds_its_key_taken(gateway: SandboxGateway, clock: Clock, token: str) -> None:
    facts = asked(token)
    timed_out(facts)
    refunded(facts)
    clock.sleep(60)
    assert gateway.authorise(services.authorisation_request(AuthorisePayment(**facts)), key=AUTHORISE.own)
    assert ours(facts["saga_id"]) == gateway.find(key=AUTHORISE.own, reference=str(facts["order_id"]))
    assert kinds() == [Kind.AUTHORISE, Kind.VOID]


def test_a_hold_that_arrived_late_is_voided(gateway: SandboxGateway, clock: Clock) -> None:
    facts = asked("tok_arrives_late_60")
    timed_out(facts)
    clock.sleep(60)
    refunded(facts)
    assert kinds() == [Kind.AUTHORISE, Kind.VOID]


def test_a_refund_of_a_call_never_made_leaves_the_key_taken_by_a_decline() -> None:
    facts = asked("tok_declined")
    assert refunded(facts) == Reversal(payment=None)
    with pytest.raises(CardDeclined):
        authorisation.call(AuthorisePayment(**facts), AUTHORISE)


def test_a_refund_under_way_is_looked_for_at_the_gateway() -> None:
    facts = asked()
    request = RefundPayment(**facts)
    keys = keys_to_refund(request)
    assert refund.find(request, keys) is None
    authorised(facts)
    assert refund.find(request, keys) is None
    reversal = refund.call(request, keys)
    assert refund.find(request, keys) == reversal


def test_a_refund_finds_that_nothing_was_held_after_a_decline() -> None:
    facts = asked("tok_declined")
    with pytest.raises(CardDeclined):
        authorisation.call(AuthorisePayment(**facts), AUTHORISE)
    request = RefundPayment(**facts)
    assert refund.find(request, keys_to_refund(request)) == Reversal(payment=None)


def test_a_void_fails_until_the_gateway_recovers() -> None:
    facts = asked("tok_void_fail_1")
    authorised(facts)
    with pytest.raises(GatewayBroken):
        refunded(facts)
    assert refunded(facts).payment == ours(facts["saga_id"])


def test_one_saga_has_one_payment() -> None:
    facts = asked()
    payment = authorisation.call(AuthorisePayment(**facts), AUTHORISE)
    authorisation.record_all([(AuthorisePayment(**facts), payment)])
    with pytest.raises(IntegrityError, match="payment_one_per_saga"):
        authorisation.record_all([(AuthorisePayment(**facts), payment)])


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"amount_minor": -1}, "payment_amount_not_negative"),
        ({"currency": "gbp"}, "payment_currency_is_iso_4217"),
        ({"status": "lost"}, STATUS_FOLLOWS),
        ({"captured_minor": 1999}, "payment_captures_what_was_held"),
        ({"captured_minor": -1}, "payment_captures_what_was_held"),
        ({"captured_minor": 5, "refunded_minor": 6}, "payment_not_over_refunded"),
        ({"captured_minor": 5, "refunded_minor": -1}, "payment_not_over_refunded"),
        ({"status": "captured", "captured_minor": 5}, STATUS_FOLLOWS),
        ({"captured_minor": 5, "capture_id": "c"}, STATUS_FOLLOWS),
        ({"status": "voided", "captured_minor": 5}, STATUS_FOLLOWS),
        ({"status": "captured", "capture_id": "c", "captured_minor": 5, "refunded_minor": 5}, STATUS_FOLLOWS),
        ({"status": "refunded", "capture_id": "c", "captured_minor": 5, "refunded_minor": 4}, STATUS_FOLLOWS),
    ],
)
def test_a_row_that_breaks_a_rule_is_turned_away(wrong: dict[str, Any], rule: str) -> None:
    facts = asked()
    authorised(facts)
    with pytest.raises(IntegrityError, match=rule):
        Payment.objects.filter(saga_id=facts["saga_id"]).update(**wrong)
