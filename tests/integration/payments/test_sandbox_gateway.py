"""The sandbox gateway: its guards, its keys, its test tokens."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from payments.gateways.port import (
    AuthorisationRequest,
    CardDeclined,
    GatewayBroken,
    GatewayDown,
    GatewayPayment,
    GatewayRefund,
    GatewayTimeout,
    InsufficientFunds,
    KeyReused,
    NotPossible,
    PaymentRefused,
    PaymentStatus,
    UnknownPaymentMethod,
)
from payments.gateways.sandbox.gateway import SandboxGateway
from payments.gateways.sandbox.models import Kind, LateArrival, Operation
from payments.gateways.sandbox.selectors import authorisations_by_key
from tests.support.clock import Clock
from tests.support.failover import end_session
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True, databases=["gateway"])


def order(payment_method: str = "tok_ok", amount_minor: int = 1998) -> AuthorisationRequest:
    return AuthorisationRequest("order-1", amount_minor, "GBP", payment_method)


def authorised(gateway: SandboxGateway, payment_method: str = "tok_ok") -> str:
    return gateway.authorise(order(payment_method), key="a").authorisation_id


def captured(gateway: SandboxGateway, payment_method: str = "tok_ok") -> str:
    authorisation_id = authorised(gateway, payment_method)
    gateway.capture(authorisation_id, amount_minor=1998, key="c")
    return authorisation_id


def operations() -> list[str]:
    return list(Operation.objects.order_by("created_at").values_list("kind", flat=True))


def test_an_authorisation_is_found_by_its_key_and_order(gateway: SandboxGateway) -> None:
    payment = gateway.authorise(order(), key="a")
    assert payment.status == PaymentStatus.AUTHORISED
    assert gateway.find(key="a", reference="order-1") == payment == gateway.look_up(payment.authorisation_id)
    assert gateway.find(key="b", reference="order-1") is None
    assert gateway.find(key="a", reference="order-2") is None


def test_a_happy_authorisation_is_one_statement(gateway: SandboxGateway) -> None:
    with CaptureQueriesContext(connections["gateway"]) as queries:
        gateway.authorise(order(), key="a")
    assert len(queries) == 1


def test_a_happy_capture_is_two_statements(gateway: SandboxGateway) -> None:
    authorisation_id = authorised(gateway)
    with CaptureQueriesContext(connections["gateway"]) as queries:
        gateway.capture(authorisation_id, amount_minor=1998, key="c")
    assert len(queries) == 2


def test_the_same_call_again_repeats_the_first_answer(gateway: SandboxGateway) -> None:
    payment = gateway.authorise(order(), key="a")
    capture = gateway.capture(payment.authorisation_id, amount_minor=1998, key="c")
    refund = gateway.refund(payment.authorisation_id, amount_minor=1998, key="r")
    assert gateway.authorise(order(), key="a") == payment
    assert gateway.capture(payment.authorisation_id, amount_minor=1998, key="c") == capture
    assert gateway.refund(payment.authorisation_id, amount_minor=1998, key="r") == refund
    assert operations() == [Kind.AUTHORISE, Kind.CAPTURE, Kind.REFUND]


@pytest.mark.parametrize(
    "other", [order(amount_minor=1), order("tok_declined"), replace(order(), currency="EUR")], ids=str
)
def test_a_key_used_for_something_else_is_an_error(gateway: SandboxGateway, other: AuthorisationRequest) -> None:
    gateway.authorise(order(), key="a")
    with pytest.raises(KeyReused):
        gateway.authorise(other, key="a")


def test_a_key_used_for_another_operation_is_an_error(gateway: SandboxGateway) -> None:
    authorisation_id = authorised(gateway)
    with pytest.raises(KeyReused):
        gateway.void(authorisation_id, key="a")


def test_nothing_is_captured_after_a_void(gateway: SandboxGateway) -> None:
    authorisation_id = authorised(gateway)
    gateway.void(authorisation_id, key="v")
    with pytest.raises(NotPossible):
        gateway.capture(authorisation_id, amount_minor=1998, key="c")
    assert gateway.look_up(authorisation_id).status == PaymentStatus.VOIDED


def test_nothing_is_voided_after_a_capture(gateway: SandboxGateway) -> None:
    authorisation_id = captured(gateway)
    with pytest.raises(NotPossible):
        gateway.void(authorisation_id, key="v")
    assert gateway.look_up(authorisation_id).status == PaymentStatus.CAPTURED


def test_money_is_captured_once(gateway: SandboxGateway) -> None:
    authorisation_id = captured(gateway)
    with pytest.raises(NotPossible):
        gateway.capture(authorisation_id, amount_minor=1998, key="c2")


def test_no_more_is_captured_than_is_held(gateway: SandboxGateway) -> None:
    with pytest.raises(NotPossible):
        gateway.capture(authorised(gateway), amount_minor=1999, key="c")


def test_no_more_is_refunded_than_was_captured(gateway: SandboxGateway) -> None:
    authorisation_id = captured(gateway)
    gateway.refund(authorisation_id, amount_minor=1000, key="r1")
    assert gateway.look_up(authorisation_id).status == PaymentStatus.CAPTURED
    with pytest.raises(NotPossible):
        gateway.refund(authorisation_id, amount_minor=999, key="r2")
    gateway.refund(authorisation_id, amount_minor=998, key="r3")
    assert gateway.look_up(authorisation_id).status == PaymentStatus.REFUNDED


def test_a_hold_cannot_be_refunded(gateway: SandboxGateway) -> None:
    with pytest.raises(NotPossible):
        gateway.refund(authorised(gateway), amount_minor=1, key="r")


@pytest.mark.parametrize("unknown", ["authorise_" + "0" * 32, "pi_3", ""])
def test_an_unknown_authorisation_is_an_error(gateway: SandboxGateway, unknown: str) -> None:
    calls: tuple[Callable[[], object], ...] = (
        lambda: gateway.look_up(unknown),
        lambda: gateway.void(unknown, key="v"),
        lambda: gateway.capture(unknown, amount_minor=1, key="c"),
        lambda: gateway.refund(unknown, amount_minor=1, key="r"),
    )
    for call in calls:
        with pytest.raises(NotPossible):
            call()


@pytest.mark.parametrize(
    ("token", "refusal"),
    [
        ("tok_declined", CardDeclined),
        ("tok_insufficient_funds", InsufficientFunds),
        ("tok_no_such_token", UnknownPaymentMethod),
    ],
)
def test_a_decline_is_remembered_under_its_key(
    gateway: SandboxGateway, token: str, refusal: type[PaymentRefused]
) -> None:
    for _ in range(2):
        with pytest.raises(refusal):
            gateway.authorise(order(token), key="a")
    with pytest.raises(refusal):
        gateway.find(key="a", reference="order-1")
    assert operations() == [Kind.AUTHORISE]


def test_a_declined_authorisation_cannot_be_captured(gateway: SandboxGateway) -> None:
    with pytest.raises(CardDeclined):
        gateway.authorise(order("tok_declined"), key="a")
    declined = Operation.objects.get()
    with pytest.raises(NotPossible):
        gateway.capture(declined.public_id, amount_minor=1998, key="c")


def test_timeout_before_does_nothing_the_first_time(gateway: SandboxGateway, clock: Clock) -> None:
    with pytest.raises(GatewayTimeout):
        gateway.authorise(order("tok_timeout_before"), key="a")
    assert (clock.slept, operations()) == (1, [])
    gateway.authorise(order("tok_timeout_before"), key="a")
    assert operations() == [Kind.AUTHORISE]


def test_timeout_after_does_it_and_says_nothing(gateway: SandboxGateway, clock: Clock) -> None:
    with pytest.raises(GatewayTimeout):
        gateway.authorise(order("tok_timeout_after"), key="a")
    assert (clock.slept, operations()) == (1, [Kind.AUTHORISE])
    assert gateway.authorise(order("tok_timeout_after"), key="a") == gateway.find(key="a", reference="order-1")


def test_a_late_answer_comes_late_once(gateway: SandboxGateway, clock: Clock) -> None:
    first = gateway.authorise(order("tok_late_1"), key="a")
    assert clock.slept == 1
    assert gateway.authorise(order("tok_late_1"), key="a") == first
    assert clock.slept == 1


def test_an_answer_later_than_the_timeout_is_not_heard(gateway: SandboxGateway, clock: Clock) -> None:
    with pytest.raises(GatewayTimeout):
        gateway.authorise(order("tok_late_2"), key="a")
    assert (clock.slept, operations()) == (1, [Kind.AUTHORISE])


def test_fail_n_fails_n_calls_of_each_key(gateway: SandboxGateway) -> None:
    for key in ("a", "b"):
        for _ in range(2):
            with pytest.raises(GatewayBroken):
                gateway.authorise(order("tok_fail_2"), key=key)
        gateway.authorise(order("tok_fail_2"), key=key)
    assert operations() == [Kind.AUTHORISE] * 2


def test_capture_fail_n_fails_captures_only(gateway: SandboxGateway) -> None:
    authorisation_id = authorised(gateway, "tok_capture_fail_1")
    with pytest.raises(GatewayBroken):
        gateway.capture(authorisation_id, amount_minor=1998, key="c")
    assert gateway.capture(authorisation_id, amount_minor=1998, key="c").status == PaymentStatus.CAPTURED


def test_a_capture_that_is_declined_leaves_the_money_held(gateway: SandboxGateway) -> None:
    authorisation_id = authorised(gateway, "tok_capture_declined")
    for _ in range(2):
        with pytest.raises(CardDeclined):
            gateway.capture(authorisation_id, amount_minor=1998, key="c")
    assert gateway.look_up(authorisation_id).status == PaymentStatus.AUTHORISED
    assert gateway.void(authorisation_id, key="v").status == PaymentStatus.VOIDED


def test_void_fail_n_fails_voids_only(gateway: SandboxGateway) -> None:
    authorisation_id = authorised(gateway, "tok_void_fail_1")
    with pytest.raises(GatewayBroken):
        gateway.void(authorisation_id, key="v")
    assert gateway.void(authorisation_id, key="v").status == PaymentStatus.VOIDED


def test_what_arrives_late_is_not_found_before_its_time(gateway: SandboxGateway, clock: Clock) -> None:
    with pytest.raises(GatewayTimeout):
        gateway.authorise(order("tok_arrives_late_60"), key="a")
    assert gateway.find(key="a", reference="order-1") is None
    clock.sleep(60)
    found = gateway.find(key="a", reference="order-1")
    assert found is not None
    assert found.status == PaymentStatus.AUTHORISED
    assert gateway.authorise(order("tok_arrives_late_60"), key="a") == found
    assert operations() == [Kind.AUTHORISE]


def test_what_arrives_late_finds_its_key_taken(gateway: SandboxGateway, clock: Clock) -> None:
    with pytest.raises(GatewayTimeout):
        gateway.authorise(order("tok_arrives_late_60"), key="a")
    payment = gateway.authorise(order("tok_arrives_late_60"), key="a")
    gateway.void(payment.authorisation_id, key="v")
    clock.sleep(60)
    assert gateway.look_up(payment.authorisation_id).status == PaymentStatus.VOIDED
    booked = authorisations_by_key(now=clock.now())
    assert not LateArrival.objects.exists()
    assert [each.authorisation_id for each in booked.values()] == [payment.authorisation_id]
    assert not booked["a"].is_open


def test_the_books_show_what_arrived_though_nobody_asked(gateway: SandboxGateway, clock: Clock) -> None:
    with pytest.raises(GatewayTimeout):
        gateway.authorise(order("tok_arrives_late_60"), key="a")
    assert authorisations_by_key(now=clock.now()) == {}
    assert authorisations_by_key(now=clock.now() + timedelta(seconds=60))["a"].is_open


def test_the_books_show_each_authorisation_and_what_became_of_it(gateway: SandboxGateway, clock: Clock) -> None:
    authorisation_id = captured(gateway)
    refund = gateway.refund(authorisation_id, amount_minor=998, key="r")
    booked = authorisations_by_key(now=clock.now())["a"]
    assert (booked.captured_minor, booked.refunded_minor, booked.voided) == (1998, 998, False)
    assert booked.refund_ids == (refund.refund_id,)
    assert booked.later_keys == ("c", "r")


def test_one_key_in_eight_threads_holds_the_money_once(gateway: SandboxGateway) -> None:
    payments = at_once(8, lambda _: gateway.authorise(order(), key="a"))
    assert len(set(payments)) == 1
    assert isinstance(payments[0], GatewayPayment)
    assert operations() == [Kind.AUTHORISE]


def test_captures_and_voids_at_once_do_one_thing(gateway: SandboxGateway) -> None:
    authorisation_id = authorised(gateway)

    def one(number: int) -> GatewayPayment:
        if number % 2:
            return gateway.void(authorisation_id, key=f"v{number}")
        return gateway.capture(authorisation_id, amount_minor=1998, key=f"c{number}")

    results = at_once(8, one)
    assert sum(isinstance(result, GatewayPayment) for result in results) == 1
    assert sum(isinstance(result, NotPossible) for result in results) == 7
    assert len(operations()) == 2


def test_refunds_at_once_give_back_no_more_than_was_captured(gateway: SandboxGateway) -> None:
    authorisation_id = captured(gateway)
    results = at_once(8, lambda number: gateway.refund(authorisation_id, amount_minor=500, key=f"r{number}"))
    assert sum(isinstance(result, GatewayRefund) for result in results) == 3
    assert sum(isinstance(result, NotPossible) for result in results) == 5


def test_one_refund_key_in_eight_threads_gives_back_once(gateway: SandboxGateway) -> None:
    authorisation_id = captured(gateway)
    at_once(8, lambda _: gateway.refund(authorisation_id, amount_minor=500, key="r"))
    assert operations().count(Kind.REFUND) == 1


def statuses(gateway: SandboxGateway, authorisation_id: str) -> list[str]:
    return [each.status for each in gateway.look_up(authorisation_id).refunds]


@pytest.mark.parametrize(
    ("token", "at_first", "later"),
    [
        ("tok_ok", "succeeded", "succeeded"),
        ("tok_refund_pending_60", "pending", "succeeded"),
        ("tok_refund_pending_fails_60", "pending", "failed"),
        ("tok_refund_fails_late_60", "succeeded", "failed"),
    ],
)
def test_a_refund_changes_its_state_as_the_token_says(
    gateway: SandboxGateway, clock: Clock, token: str, at_first: str, later: str
) -> None:
    authorisation_id = captured(gateway, token)
    made = gateway.refund(authorisation_id, amount_minor=1998, key="r")
    assert (made.status, statuses(gateway, authorisation_id)) == (at_first, [at_first])
    clock.sleep(60)
    assert statuses(gateway, authorisation_id) == [later]
    assert gateway.refund(authorisation_id, amount_minor=1998, key="r") == made, "the first answer to the key"
    assert operations().count(Kind.REFUND) == 1


def test_a_refund_that_failed_leaves_its_money_to_be_refunded(gateway: SandboxGateway, clock: Clock) -> None:
    authorisation_id = captured(gateway, "tok_refund_fails_late_60")
    gateway.refund(authorisation_id, amount_minor=1998, key="r1")
    with pytest.raises(NotPossible):
        gateway.refund(authorisation_id, amount_minor=1, key="r2")
    clock.sleep(60)
    assert authorisations_by_key(now=clock.now())["a"].refunded_minor == 0
    gateway.refund(authorisation_id, amount_minor=1998, key="r3")
    assert gateway.look_up(authorisation_id).status == PaymentStatus.REFUNDED


def test_a_refused_refund_gives_nothing_back(gateway: SandboxGateway) -> None:
    authorisation_id = captured(gateway, "tok_refund_refused")
    with pytest.raises(NotPossible):
        gateway.refund(authorisation_id, amount_minor=1, key="r")
    assert statuses(gateway, authorisation_id) == []


def test_a_lost_database_is_a_gateway_that_is_down_and_comes_back(gateway: SandboxGateway) -> None:
    authorised(gateway)
    end_session("gateway")
    with pytest.raises(GatewayDown):
        gateway.find(key="a", reference="order-1")
    assert gateway.find(key="a", reference="order-1")
