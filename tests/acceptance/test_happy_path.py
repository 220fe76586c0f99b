"""An order that goes well."""

from dataclasses import replace

import pytest

from orchestration.contracts.values import Line
from orders.models import Order
from payments.models import Payment

pytestmark = pytest.mark.usefixtures("shared_worker")


def test_a_laptop_is_sold_in_a_currency_of_many_minor_units(shop, audited):
    price = 35_000_000_00  # IDR
    laptop = replace(shop.request(), lines=(Line(shop.sku, 2, price),), total_minor=2 * price, currency="IDR")

    saga_id = shop.place(laptop)

    assert shop.ended(saga_id) == ["completed"]
    [line] = Order.objects.get(saga_id=saga_id).lines.all()
    assert (line.unit_price_minor, line.total_minor) == (price, 2 * price)
    payment = Payment.objects.get(saga_id=saga_id)
    assert (payment.amount_minor, payment.currency) == (2 * price, "IDR")


def test_an_order_is_placed_and_paid(shop):
    saga_id = shop.place()

    assert shop.ended(saga_id) == ["completed"]
    assert shop.story(saga_id) == [
        "started",
        "done reserve_stock",
        "done authorise_payment",
        "done schedule_shipment",
        "done place_order",
        "done capture_payment",
        "completed",
    ]
    assert Order.objects.get(saga_id=saga_id).total_minor == 100
