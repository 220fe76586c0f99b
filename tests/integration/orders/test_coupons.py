"""Coupons at orders: what they take off, how often they can be used, and by whom."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connections, transaction
from hypothesis import given
from hypothesis import strategies as st

from orchestration.contracts.codec import encode
from orchestration.contracts.coupons import RedeemCoupon, ReturnCoupon, redeem_coupon, return_coupon
from orchestration.contracts.values import LARGEST_AMOUNT_MINOR
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Barred, Done, Refused
from orchestration.participant.refusals import Refusal
from orchestration.testing import step_runner
from orders import coupon_audit, coupons
from orders.models import Coupon, CouponUse, Order
from orders.tasks import participant
from tests.support.coupons import NOON, claiming, coupon, redeeming
from tests.support.placed_orders import placed

pytestmark = pytest.mark.django_db(transaction=True, databases=["orders"])


def call(request: RedeemCoupon, step: str = "redeem_coupon") -> Call:
    return Call(request.saga_id, step, token=1, known=encode(request))


def redeem(*requests: RedeemCoupon) -> list[Any]:
    return step_runner.act(participant, redeem_coupon, [call(each) for each in requests])


def undo(request: RedeemCoupon) -> None:
    step_runner.undo(participant, return_coupon, [call(request)])


def refusal(request: RedeemCoupon) -> str:
    [outcome] = redeem(request)
    assert isinstance(outcome, Refused)
    return str(outcome.refusal["code"])


def state() -> tuple[int, list[str]]:
    """The count of uses, and the state of each use."""
    uses = CouponUse.objects.order_by("used_at").values_list("state", flat=True)
    return Coupon.objects.get().used, [*uses]


@given(st.integers(1, 100), st.integers(0, LARGEST_AMOUNT_MINOR))
def test_percentage_takes_off_whole_minor_units_rounded_down(percent: int, total_minor: int) -> None:
    off = coupons.discount_minor(Coupon(kind="percent", value=percent), total_minor)
    assert off * 100 <= total_minor * percent < (off + 1) * 100


@given(st.integers(1, LARGEST_AMOUNT_MINOR), st.integers(0, LARGEST_AMOUNT_MINOR))
def test_amount_never_takes_off_more_than_the_total(amount: int, total_minor: int) -> None:
    assert coupons.discount_minor(Coupon(kind="amount", value=amount), total_minor) == min(amount, total_minor)


def test_coupon_is_used_once_for_each_saga() -> None:
    coupon()
    request = redeeming()
    assert redeem(request, request) == [Done({}), Done({})]
    assert redeem(request) == [Done({})]
    assert state() == (1, ["used"])


def test_returned_use_can_be_used_again() -> None:
    coupon(uses=1)
    request = redeeming()
    redeem(request)
    assert refusal(redeeming()) == "used_up"
    undo(request)
    undo(request)
    assert state() == (0, ["returned"])
    assert redeem(redeeming()) == [Done({})]


def test_compensation_that_comes_first_bars_the_use() -> None:
    coupon()
    request = redeeming()
    undo(request)
    assert isinstance(redeem(request)[0], Barred)
    assert state() == (0, [])


def test_refused_use_changes_nothing_and_the_others_of_its_batch_are_used() -> None:
    coupon(uses=2)
    outcomes = redeem(redeeming(), redeeming("WINTER"), redeeming())
    assert sorted(type(each).__name__ for each in outcomes) == ["Done", "Done", "Refused"]
    assert state() == (2, ["used", "used"])


def test_unknown_and_expired_coupons_are_refused() -> None:
    assert refusal(redeeming()) == "unknown_coupon"
    coupon(expires_at=NOON)
    assert refusal(redeeming()) == "expired"
    assert state() == (0, [])


def test_coupon_is_valid_if_it_was_when_the_customer_asked() -> None:
    coupon(expires_at=NOON)
    assert redeem(redeeming(placed_at=NOON - timedelta(seconds=1))) == [Done({})]


def test_last_uses_are_not_overused_by_many_threads() -> None:
    coupon(uses=7)

    def attempt(_: int) -> str:
        try:
            return type(redeem(redeeming(customer_id=str(uuid4())))[0]).__name__
        finally:
            connections["orders"].close()

    with ThreadPoolExecutor(8) as pool:
        outcomes = [*pool.map(attempt, range(20))]
    assert (outcomes.count("Done"), outcomes.count("Refused")) == (7, 13)
    assert state() == (7, ["used"] * 7)


def test_database_refuses_more_uses_than_there_are() -> None:
    coupon(uses=1)
    with pytest.raises(IntegrityError, match="coupon_not_overused"):
        Coupon.objects.update(used=2)


def test_customer_claims_a_coupon_only_while_they_have_no_use_of_it() -> None:
    coupon(once_per_customer=True)
    coupons.claim_coupon(claiming())
    request = redeeming()
    redeem(request)
    with pytest.raises(coupons.CouponAlreadyUsed):
        coupons.claim_coupon(claiming())
    coupons.claim_coupon(claiming(customer_id="8"))
    undo(request)
    coupons.claim_coupon(claiming())


def test_second_use_of_a_customer_is_refused_although_the_lock_was_broken() -> None:
    coupon(once_per_customer=True)
    assert redeem(redeeming()) == [Done({})]
    assert refusal(redeeming()) == "already_used"
    assert redeem(redeeming(customer_id="8")) == [Done({})]
    assert state() == (2, ["used", "used"])


def test_use_of_a_cancelled_order_is_given_back_once() -> None:
    coupon(uses=1)
    request = redeeming()
    redeem(request)
    for _ in range(2):
        with transaction.atomic(using="orders"):
            coupons.give_back_use(request.saga_id)
    assert state() == (0, ["given_back"])


def order_with_coupon(customer_id: str = "7") -> UUID:
    order_id = placed()
    request = redeeming(customer_id=customer_id, saga_id=Order.objects.get(id=order_id).saga_id)
    redeem(request)
    return request.saga_id


def why_not(code: str = "SPRING", currency: str = "GBP") -> str:
    try:
        coupons.usable_coupon(code, customer_id="7", currency=currency, now=NOON)
    except Refusal as refusal:
        return refusal.code
    return ""


def test_coupon_that_cannot_be_used_is_refused_before_the_saga() -> None:
    assert why_not() == "unknown_coupon"
    coupon(uses=1)
    assert why_not() == ""
    Coupon.objects.update(used=1)
    assert why_not() == "used_up"
    Coupon.objects.update(expires_at=NOON)
    assert why_not() == "expired"
    coupon("TWENTY", kind="amount", value=2000, currency="EUR")
    assert (why_not("TWENTY"), why_not("TWENTY", "EUR")) == ("currency_mismatch", "")


def test_use_counts_for_the_customer_before_the_saga_only_once_its_order_is_placed() -> None:
    coupon(once_per_customer=True)
    request = redeeming()
    redeem(request)
    assert why_not() == ""
    undo(request)
    order_with_coupon()
    assert why_not() == "already_used"


def test_audit_finds_a_count_that_differs_from_the_live_uses() -> None:
    coupon()
    redeem(redeeming())
    assert [each.faults for each in coupon_audit.check_coupons()] == [()]
    Coupon.objects.update(used=3)
    assert [each.faults for each in coupon_audit.check_coupons()] == [
        ("Coupon SPRING was used 3 times, and has 1 live uses.",)
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"value": 0},
        {"value": 101},
        {"currency": "GBP"},
        {"kind": "amount"},
        {"code": "spring"},
        {"code": "A B"},
        {"uses": 1, "used": 2},
    ],
)
def test_coupon_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    made = Coupon(**{"code": "SPRING", "kind": "percent", "value": 10, "uses": 5, "used": 0} | fields)
    with pytest.raises(ValidationError):
        made.full_clean()
    with pytest.raises(IntegrityError):
        made.save(force_insert=True)


def test_returning_what_was_never_used_changes_nothing() -> None:
    coupon()
    coupons.return_coupon(ReturnCoupon(uuid4(), "SPRING"))
    assert state() == (0, [])
