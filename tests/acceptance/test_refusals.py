"""Each way a step says no: the order is not placed, and what was done for it is undone at once."""

from collections.abc import Iterable
from typing import Any

import pytest

from orders.models import Order

pytestmark = pytest.mark.usefixtures("shared_worker", "audited")

STEPS = ["reserve_stock", "authorise_payment", "schedule_shipment"]


@pytest.mark.parametrize(
    ("asked", "code", "refused"),
    [
        ({"basket": [("MUG-01", 1001)]}, "out_of_stock", "reserve_stock"),
        ({"basket": [("MUG-01", 1), ("NO-SUCH-MUG", 1)]}, "unknown_sku", "reserve_stock"),
        ({"payment_method": "tok_declined"}, "card_declined", "authorise_payment"),
        ({"payment_method": "tok_insufficient_funds"}, "insufficient_funds", "authorise_payment"),
        ({"payment_method": "tok_of_another_gateway"}, "unknown_payment_method", "authorise_payment"),
        ({"line2": "carrier_refuse"}, "cannot_deliver", "schedule_shipment"),
    ],
)
def test_refusal_undoes_what_was_done_and_says_why(shop, asked: dict[str, Any], code: str, refused: str):
    saga_id = shop.place(**asked)

    assert shop.ended(saga_id) == ["compensated"]
    assert shop.saga(saga_id).failure["code"] == code
    assert shop.story(saga_id) == [*expected_story(refused), "compensated"]
    assert shop.ledger(saga_id) == expected_ledger(refused)
    assert not Order.objects.exists()
    assert shop.available() == 1000


def test_short_line_holds_nothing_of_the_other_lines(shop):
    shop.stock(5, sku="TEA-01")

    saga_id = shop.place(basket=[("MUG-01", 1), ("TEA-01", 6)])

    assert shop.ended(saga_id) == ["compensated"]
    assert shop.saga(saga_id).failure["code"] == "out_of_stock"
    assert (shop.available(), shop.available("TEA-01")) == (1000, 5)


def expected_story(refused: str) -> Iterable[str]:
    position = STEPS.index(refused)
    yield "started"
    yield from (f"done {step}" for step in STEPS[:position])
    yield f"refused {refused}"
    yield "sent"
    yield from (f"undone {step}" for step in reversed(STEPS) if step != refused)


def expected_ledger(refused: str) -> dict[str, str]:
    """A step that was never reached is barred: a copy of its message may still be on its way."""
    position = STEPS.index(refused)
    return (
        dict.fromkeys(STEPS[:position], "undone")
        | {refused: "refused"}
        | dict.fromkeys(STEPS[position + 1 :], "barred")
    )
