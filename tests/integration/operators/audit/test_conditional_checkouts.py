"""Checkouts with coupons and store credit, without a card or a parcel: what they do, skip and undo."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db.models import F, Sum

from orchestration.contracts.coupons import coupon_key
from orchestration.contracts.order_changes import ChangeKind, RefundTo
from orchestration.contracts.orders import CheckoutRequested
from orchestration.models import SagaInstance
from orchestration.operators.audit.violations import violations
from orchestration.sagas.checkout import checkout
from orchestration.sagas.checkout_v1 import checkout_v1
from orders.models import Coupon, CouponUse, Ledger, Order
from payments.gateways.sandbox import models as gateway
from payments.models import CreditPayment, Payment, Refund
from shipping.carriers.sandbox import models as carrier
from tests.integration.operators.audit.conftest import Found
from tests.integration.operators.audit.courier import Courier
from tests.support.coupons import coupon
from tests.support.order_changes import start
from tests.support.shop import NOT_NEEDED, Shop, of_v1
from tests.support.wallets import balances, granted, movements

Place = Callable[..., UUID]
ALL = {step.name for step in checkout.steps}
CARD, PARCEL = {"authorise_payment", "capture_payment"}, {"schedule_shipment"}


@pytest.fixture
def place(shop: Shop) -> Place:
    """Starts the saga of an order of ten mugs at £1, with a coupon for 10 % and store credit of £4."""
    coupon(uses=1, once_per_customer=True)
    granted("customer-1", 400)

    def place(line2: str = "", **changes: Any) -> UUID:
        request: CheckoutRequested = shop.request(basket=[(shop.sku, 10)], line2=line2)
        usual = {"coupon": "SPRING", "coupon_key": coupon_key("SPRING", "customer-1"), "discount_minor": 100}
        return shop.place(replace(request, **{**usual, "total_minor": 900, "credit_minor": 400, **changes}))

    return place


def at_rest() -> list[object]:
    """Audit as if all changes had ended a while ago. A change that ended just now may still have been under way."""
    SagaInstance.objects.update(ended_at=F("ended_at") - timedelta(minutes=1))
    return list(violations())


def skipped(saga_id: UUID) -> set[str]:
    return set(SagaInstance.objects.get(pk=saga_id).progress.get("skipped", ()))


def test_coupon_store_credit_and_card_pay_one_order(place: Place, shop: Shop, courier: Courier) -> None:
    saga_id = place()
    assert courier.settle(saga_id) == "completed"
    order = Order.objects.get()
    assert (order.total_minor, order.discount_minor, order.credit_minor, order.coupon) == (900, 100, 400, "SPRING")
    assert (Payment.objects.get().amount_minor, Payment.objects.get().captured_minor) == (500, 500)
    assert (CreditPayment.objects.get().amount_minor, balances()) == (400, {"customer-1": 0})
    assert (Coupon.objects.get().used, CouponUse.objects.get().state) == (1, "used")
    assert skipped(saga_id) == set()
    assert shop.ledger(saga_id).keys() == ALL
    assert violations() == []


def test_order_that_is_undone_gives_everything_back(place: Place, courier: Courier) -> None:
    assert courier.settle(place(line2="carrier_refuse")) == "compensated"
    assert (balances(), movements()[1:]) == ({"customer-1": 400}, [("spent", -400), ("returned", 400)])
    assert (Coupon.objects.get().used, CouponUse.objects.get().state) == (0, "returned")
    assert Payment.objects.get().status == "voided"
    assert violations() == []


def test_plain_order_skips_coupon_and_credit(shop: Shop, courier: Courier) -> None:
    saga_id = shop.place()
    assert skipped(saga_id) == NOT_NEEDED
    request = SagaInstance.objects.get(pk=saga_id).request
    assert not request.keys() & {"coupon", "coupon_key", "discount_minor", "credit_minor", "ships"}
    assert courier.settle(saga_id) == "completed"
    assert shop.ledger(saga_id).keys() == ALL - NOT_NEEDED
    assert violations() == []


def test_credit_alone_pays_an_order_without_a_parcel(place: Place, shop: Shop, courier: Courier) -> None:
    granted("customer-1", 500)
    saga_id = place(credit_minor=900, payment_method=None, shipping_address=None, ships=False)
    assert courier.settle(saga_id) == "completed"
    assert skipped(saga_id) == CARD | PARCEL
    assert not gateway.Operation.objects.exists()
    assert not carrier.Operation.objects.exists()
    order = Order.objects.get()
    assert (order.authorisation_id, order.tracking_number, order.shipping_address) == ("", "", None)
    assert violations() == []


def test_free_order_is_not_sent_to_the_gateway(place: Place, courier: Courier) -> None:
    saga_id = place(total_minor=0, discount_minor=1000, credit_minor=0, payment_method=None)
    assert courier.settle(saga_id) == "completed"
    assert skipped(saga_id) == CARD | {"spend_credit"}
    assert not gateway.Operation.objects.exists()
    assert violations() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"credit_minor": 401}, "insufficient"), ({"coupon": "WINTER"}, "unknown_coupon")],
)
def test_refused_credit_or_coupon_undoes_the_order(
    place: Place, shop: Shop, courier: Courier, changes: dict[str, Any], code: str
) -> None:
    saga_id = place(**changes)
    assert courier.settle(saga_id) == "compensated"
    failure = shop.saga(saga_id).failure
    assert failure is not None
    assert (failure["code"], balances(), Coupon.objects.get().used) == (code, {"customer-1": 400}, 0)
    assert violations() == []


def test_second_order_waits_for_the_coupon_of_the_first(place: Place, shop: Shop, courier: Courier) -> None:
    courier.loses = "place_order"
    first = place(credit_minor=0)
    courier.deliver()
    second = place(credit_minor=0)
    courier.deliver()
    assert shop.saga(second).waits_for == first
    courier.loses = ""
    assert courier.settle(first) == "completed"
    assert courier.settle(second) == "compensated"
    assert (shop.saga(second).failure or {})["code"] == "already_used"
    assert violations() == []


def test_second_order_gets_the_coupon_that_the_first_gives_back(place: Place, shop: Shop, courier: Courier) -> None:
    courier.loses = "schedule_shipment"
    first = place(line2="carrier_refuse", credit_minor=0)
    courier.deliver()
    second = place(credit_minor=0)
    courier.deliver()
    courier.loses = ""
    assert courier.settle(first) == "compensated"
    assert courier.settle(second) == "completed"
    assert violations() == []


def test_checkout_that_began_by_the_first_version_is_completed(shop: Shop, courier: Courier) -> None:
    saga_id = shop.place(of_v1(shop.request()), saga=checkout_v1)
    assert courier.settle(saga_id) == "completed"
    assert violations() == []


def test_cancelled_order_gives_back_card_credit_and_coupon(place: Place, courier: Courier) -> None:
    checkout_id = place()
    courier.settle(checkout_id)
    assert courier.settle(start(checkout_id, ChangeKind.CANCEL)) == "completed"
    assert (balances(), Payment.objects.get().refunded_minor) == ({"customer-1": 400}, 500)
    assert (Coupon.objects.get().used, CouponUse.objects.get().state) == (0, "given_back")
    assert violations() == at_rest() == []


@pytest.mark.parametrize(("refund_to", "card", "credit"), [("payment", 500, 100), ("credit", 0, 600)])
def test_refund_goes_to_the_card_or_to_store_credit(
    place: Place, courier: Courier, refund_to: str, card: int, credit: int
) -> None:
    checkout_id = place()
    courier.settle(checkout_id)
    refund = start(checkout_id, ChangeKind.REFUND, amount_minor=600, refund_to=RefundTo(refund_to))
    assert courier.settle(refund) == "completed"
    back = Refund.objects.filter(saga_id=refund, destination="card").aggregate(Sum("amount_minor"))
    assert (back["amount_minor__sum"] or 0, balances()["customer-1"]) == (card, credit)
    assert violations() == at_rest() == []


def test_free_order_is_cancelled_without_the_gateway(place: Place, courier: Courier) -> None:
    checkout_id = place(total_minor=0, discount_minor=1000, credit_minor=0, payment_method=None)
    courier.settle(checkout_id)
    assert courier.settle(start(checkout_id, ChangeKind.CANCEL)) == "completed"
    assert not gateway.Operation.objects.exists()
    assert violations() == []


@pytest.mark.parametrize(
    ("tamper", "invariant", "said"),
    [
        (
            lambda: Order.objects.update(credit_minor=300),
            "Q5",
            "The order's total is 9.00 GBP, store credit was to pay 3.00 GBP, and paid 4.00 GBP.",
        ),
        (
            lambda: Order.objects.update(discount_minor=50),
            "Q5",
            "The order's total is 9.00 GBP, its lines add up to 10.00 GBP, less a discount of 0.50 GBP.",
        ),
        (
            lambda: CouponUse.objects.update(state="returned"),
            "Q2",
            "The saga is completed, and its coupon is not used.",
        ),
        (
            lambda: CreditPayment.objects.update(state="returned"),
            "Q2",
            "The saga is completed, and its store credit is not spent.",
        ),
        (lambda: Coupon.objects.update(used=0), "C1", "Coupon SPRING was used 0 times, and has 1 live uses."),
    ],
)
def test_what_does_not_fit_is_found(
    place: Place, courier: Courier, found: Found, tamper: Callable[[], object], invariant: str, said: str
) -> None:
    courier.settle(place())
    tamper()
    assert said in found(invariant)


def test_ledger_row_of_a_skipped_step_is_found(shop: Shop, courier: Courier, found: Found) -> None:
    saga_id = shop.place()
    courier.settle(saga_id)
    Ledger.objects.create(saga_id=saga_id, step="redeem_coupon", status="done", history=["done"], token=1)
    assert "The saga is completed, and redeem_coupon, which it skips, is done in its ledger." in found("Q2")
