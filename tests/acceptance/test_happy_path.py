"""An order that goes well."""

import pytest

from orders.models import Order

pytestmark = pytest.mark.usefixtures("shared_worker")


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
