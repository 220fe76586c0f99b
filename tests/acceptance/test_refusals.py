"""Each way a step says no: the order is not placed, and what was done for it is undone at once."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from orchestration.models import SagaInstance
from orchestration.operators.retention.purge import purge_sagas
from orders.api.checkout_values import as_state
from orders.api.progress import checkout_of
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


def test_key_of_a_purged_saga_that_placed_an_order_is_refused_at_the_pivot_with_that_order(shop):
    first = shop.place(key="again")
    assert shop.ended(first) == ["completed"]
    purge(first)

    second = shop.place(key="again")

    assert shop.ended(second, seconds=20) == ["compensated"]
    [order] = Order.objects.all()
    failure = shop.saga(second).failure
    assert (failure["code"], failure["facts"], failure["refused"]) == (
        "already_placed",
        {"order": str(order.pk)},
        "place_order",
    )
    assert shop.ledger(second) == dict.fromkeys(STEPS, "undone") | {"place_order": "refused"}
    assert shop.available() == 999
    shown = as_state(checkout_of("customer-1", second))
    assert (shown["status"], shown["failure"]["order_id"]) == ("failed", str(order.pk))


def purge(saga_id: UUID) -> None:
    """Remove what the purge of an ended saga removes."""
    SagaInstance.objects.filter(pk=saga_id).update(ended_at=datetime.now(UTC) - timedelta(days=40))
    [removed] = purge_sagas(datetime.now(UTC) - timedelta(days=31))
    assert removed.sagas == 1


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
