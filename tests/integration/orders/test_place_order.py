"""Placing an order, and reading it back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import DataError, IntegrityError, transaction

from orchestration.contracts.codec import encode
from orchestration.contracts.orders import PlaceOrder, place_order
from orchestration.contracts.values import Address, Line
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Refused
from orchestration.testing import step_runner
from orchestration.testing.step_runner import run
from orders import services
from orders.models import Ledger, Order
from orders.selectors import order_of, orders_of
from orders.tasks import participant

pytestmark = pytest.mark.django_db(transaction=True, databases=["orders"])

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def a_request(**changes: object) -> PlaceOrder:
    request = PlaceOrder(
        saga_id=uuid4(),
        order_id=uuid4(),
        customer_id="7",
        idempotency_key=str(uuid4()),
        lines=(Line("MUG", 2, 450), Line("CUP", 1, 100)),
        total_minor=1000,
        currency="GBP",
        shipping_address=Address("Ada", "1 Lane", "London", "N1", "GB"),
        placed_at=NOON,
        authorisation_id="auth-1",
        tracking_number="T-1",
    )
    return replace(request, **changes)  # type: ignore[arg-type]


def place(request: PlaceOrder) -> Order:
    with transaction.atomic(using="orders"):
        services.place_order([request])
    return Order.objects.get(id=request.order_id)


def test_a_placed_order_is_confirmed_and_holds_what_was_asked() -> None:
    request = a_request()
    order = place(request)
    assert (order.status, order.total_minor, order.currency) == ("confirmed", 1000, "GBP")
    assert (order.authorisation_id, order.tracking_number, order.placed_at) == ("auth-1", "T-1", NOON)
    assert order.shipping_address == encode(request.shipping_address)
    assert [(line.position, line.sku, line.quantity, line.total_minor) for line in order.lines.all()] == [
        (0, "MUG", 2, 900),
        (1, "CUP", 1, 100),
    ]


def test_the_same_sku_stays_on_two_lines() -> None:
    order = place(a_request(lines=(Line("MUG", 1, 500), Line("MUG", 1, 500))))
    assert [line.sku for line in order.lines.all()] == ["MUG", "MUG"]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"total_minor": -1}, "order_total_not_negative|order_not_over_refunded|order_credit_within_total"),
        ({"currency": "gbp"}, "order_currency_is_iso_4217"),
        ({"lines": (Line("MUG", 0, 1),)}, "order_line_quantity_1_to_9999"),
        ({"lines": (Line("MUG", 10_000, 1),)}, "order_line_quantity_1_to_9999"),
        ({"lines": (Line("MUG", 1, -1),)}, "order_line_price_not_negative"),
    ],
)
def test_the_database_refuses_an_impossible_order(change: dict[str, object], rule: str) -> None:
    with pytest.raises((IntegrityError, DataError), match=rule):
        place(a_request(**change))
    assert not Order.objects.exists()


def test_a_customer_and_key_place_one_order() -> None:
    first = place(a_request())
    with pytest.raises(IntegrityError, match="order_placed_once_per_customer_and_key"):
        place(a_request(idempotency_key=first.idempotency_key))
    place(a_request(idempotency_key=first.idempotency_key, customer_id="8"))


def test_a_saga_places_one_order() -> None:
    first = place(a_request())
    with pytest.raises(IntegrityError, match="saga_id"):
        place(a_request(saga_id=first.saga_id))


def test_orders_of_a_customer_come_newest_first(django_assert_num_queries: Any) -> None:
    old = place(a_request())
    new = place(a_request(placed_at=NOON + timedelta(hours=1)))
    place(a_request(customer_id="8"))
    with django_assert_num_queries(2, using="orders"):
        found = [(order.id, len(order.lines.all())) for order in orders_of("7")]
    assert found == [(new.id, 2), (old.id, 2)]


def test_a_customer_sees_only_their_own_order() -> None:
    order = place(a_request())
    assert order_of("7", order.id) == order
    assert order_of("8", order.id) is None


def call(request: PlaceOrder) -> Call:
    return Call(request.saga_id, "place_order", 1, encode(request))


def test_a_key_that_stands_for_another_saga_s_order_is_a_refusal_that_names_it() -> None:
    first = place(a_request())
    again = a_request(idempotency_key=first.idempotency_key)

    for _ in range(2):  # also when the message comes again
        [outcome] = step_runner.act(participant, place_order, [call(again)])
        assert isinstance(outcome, Refused)
        assert (outcome.refusal["code"], outcome.refusal["facts"]) == ("already_placed", {"order": str(first.pk)})

    assert Ledger.objects.get(saga_id=again.saga_id).status == "refused"
    assert step_runner.bar(participant, [call(again)]) == [True]
    assert Order.objects.count() == 1


def test_of_a_batch_only_the_order_whose_key_is_taken_is_refused() -> None:
    first = place(a_request())
    requests = [a_request(), a_request(idempotency_key=first.idempotency_key), a_request()]
    endings = run(participant, place_order.name, [call(each) for each in requests])

    assert [type(ending.outcome).__name__ for ending in endings] == ["Done", "Refused", "Done"]
    assert Order.objects.count() == 3


def test_an_order_of_the_saga_itself_is_no_refusal_of_it() -> None:
    request = a_request()
    place(request)  # and its ledger row is lost
    with pytest.raises(IntegrityError):
        step_runner.act(participant, place_order, [call(request)])
    assert not Ledger.objects.exists()


def test_another_rule_of_the_database_is_no_refusal() -> None:
    first = place(a_request())
    impossible = a_request(idempotency_key=first.idempotency_key, total_minor=-1)
    with pytest.raises(
        IntegrityError, match=r"order_total_not_negative|order_not_over_refunded|order_credit_within_total"
    ):
        step_runner.act(participant, place_order, [call(impossible)])
