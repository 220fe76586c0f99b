"""Q1, Q2 and Q3 seen to fail."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.db import transaction

import orders.models
from inventory.models import Movement, Reservation, Stock
from orchestration.models import SagaInstance
from orders.models import Order, OrderLine
from payments.gateways.sandbox import models as gateway
from payments.models import Payment
from shipping.carriers.sandbox import models as carrier
from shipping.models import Shipment
from tests.integration.operators.audit.conftest import Found
from tests.integration.operators.audit.courier import Courier
from tests.support.shop import Shop

CAPTURES = gateway.Operation.objects.filter(kind="capture")
BOOKINGS = carrier.Operation.objects.filter(kind="book")


@pytest.mark.parametrize("kept", ["\u00c5", "A\u030a"], ids=["migrated", "not migrated"])
def test_units_of_an_order_from_before_skus_had_one_form_are_found(completed: UUID, found: Found, kept: str) -> None:
    saga = SagaInstance.objects.get(pk=completed)
    saga.request["lines"][0]["sku"] = "A\u030a"
    saga.save(update_fields=["request"])
    with transaction.atomic(using="inventory"):
        Stock.objects.update(sku=kept)
        Reservation.objects.update(stock_id=kept)
        Movement.objects.update(stock_id=kept)
    assert found("Q2") == []


def test_a_saga_that_has_not_ended_is_found(shop: Shop, courier: Courier, found: Found) -> None:
    shop.place()
    assert found("Q1") == ["The saga has not ended, it is running."]


def lose_the_order() -> None:
    OrderLine.objects.all().delete()
    Order.objects.all().delete()


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lambda: orders.models.Ledger.objects.all().delete(), "place_order is missing from its ledger"),
        (lambda: orders.models.Ledger.objects.update(status="refused"), "place_order is refused"),
        (lose_the_order, "there is no order"),
        (lambda: Order.objects.update(authorisation_id="x"), "the order names another authorisation than its payment"),
        (lambda: Order.objects.update(tracking_number="x"), "the order names another parcel than its shipment"),
        (lambda: Reservation.objects.update(quantity=1), "it does not hold the units that were ordered"),
        (lambda: Reservation.objects.all().delete(), "it does not hold the units that were ordered"),
        (lambda: Payment.objects.update(status="voided", capture_id=None, captured_minor=0), "its payment is voided"),
        (lambda: Payment.objects.update(status="refunded", refunded_minor=200), "its payment is refunded"),
        (lambda: Payment.objects.all().delete(), "its payment is missing"),
        (lambda: Shipment.objects.update(status="cancelled"), "its shipment is cancelled"),
        (lambda: Shipment.objects.all().delete(), "its shipment is missing"),
        (lambda: CAPTURES.delete(), "the gateway made 0 captures"),
        (lambda: BOOKINGS.delete(), "the carrier has 0 live parcels"),
        (lambda: BOOKINGS.update(refused=True), "the carrier has 0 live parcels"),
        (lambda: BOOKINGS.update(id=uuid4()), "the carrier's parcel is another than its shipment"),
    ],
)
def test_what_a_completed_saga_lacks_is_found(
    completed: UUID, found: Found, tamper: Callable[[], object], said: str
) -> None:
    tamper()
    assert f"The saga is completed, and {said}." in found("Q2")


def write_an_order(saga_id: UUID) -> None:
    Order.objects.create(
        id=uuid4(),
        saga_id=saga_id,
        customer_id="",
        idempotency_key="",
        status="confirmed",
        total_minor=0,
        currency="GBP",
        shipping_address={},
        authorisation_id="",
        tracking_number="",
        placed_at="2026-01-01T00:00Z",
    )


def ship(saga_id: UUID) -> None:
    Shipment.objects.create(saga_id=saga_id, order_id=uuid4(), status="booked", tracking_number="x")


def capture_in_place_of_voiding(saga_id: UUID) -> None:
    gateway.Operation.objects.filter(kind="void").update(kind="capture")


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (write_an_order, "there is an order"),
        (lambda saga: Reservation.objects.update(released_at=None), "it still holds units"),
        (lambda saga: Payment.objects.update(status="authorised"), "its payment is authorised"),
        (ship, "its shipment is booked"),
        (capture_in_place_of_voiding, "the gateway has kept 1.00 GBP"),
        (lambda saga: BOOKINGS.update(refused=False), "the carrier has a live parcel"),
    ],
)
def test_what_a_compensated_saga_left_behind_is_found(
    compensated: UUID, found: Found, tamper: Callable[[UUID], object], said: str
) -> None:
    tamper(compensated)
    assert f"The saga is compensated, and {said}." in found("Q3")


def test_a_parcel_that_will_be_booked_later_is_found(compensated: UUID, found: Found) -> None:
    booked = BOOKINGS.get()
    carrier.LateArrival.objects.create(
        key=booked.key, fingerprint="", reference=booked.reference, arrives_at="2099-01-01T00:00Z"
    )
    assert found("Q3") == [], "its key is taken"
    BOOKINGS.delete()
    assert found("Q3") == ["The saga is compensated, and the carrier has a live parcel."]
