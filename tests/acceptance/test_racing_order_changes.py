"""Customers and staff change placed orders over HTTP, while real workers carry the changes out."""

import os
from collections.abc import Callable, Iterable
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest

from inventory.models import Stock
from orders.models import Order
from tests.support.change_client import Changer, customer, place_all, staff
from tests.support.crowd import at_once
from tests.support.wait import wait_for

pytestmark = pytest.mark.usefixtures("shared_worker", "audited")

ROUNDS = int(os.environ.get("CHANGE_ROUNDS", "1"))
"""How often each order of arrival is tried, in turn and at once."""
PATHS = ("cancel", "refunds", "dispatches")
WAIT_S = 10
PRICE = 100


@pytest.fixture
def ada() -> Changer:
    return customer()


@pytest.fixture
def kim() -> Changer:
    return staff()


def test_cancelled_order_gives_back_money_and_units(shop, ada):
    [order_id] = place_all(shop, ada, 1, basket=[(shop.sku, 2)])
    response = ada.post(f"/orders/{order_id}/cancel", wait=WAIT_S)
    assert (response.status_code, response.json()["status"]) == (200, "confirmed")
    shop.ended(UUID(response.json()["id"]))
    order = ada.get(f"/orders/{order_id}")
    assert (order["status"], order["refunded"]["amount_minor"]) == ("cancelled", 2 * PRICE)
    assert shop.available() == 1000
    change = ada.get(response["Location"])
    assert {step["status"] for step in change["steps"]} == {"done"}
    assert (change["amount"]["amount_minor"], change["lines"]) == (2 * PRICE, [{"sku": shop.sku, "quantity": 2}])


def test_checkout_that_has_placed_its_order_cancels_it(shop, ada):
    [order_id] = place_all(shop, ada, 1)
    checkout_id = Order.objects.get(pk=order_id).saga_id
    response = ada.post(f"/checkouts/{checkout_id}/cancel")
    assert (response.status_code, response.json()["status"]) == (202, "confirmed")
    change_id = response["Location"].rpartition("/")[2]
    assert shop.ended(UUID(change_id)) == ["completed"]
    assert ada.get(response["Location"])["status"] == "confirmed"
    assert ada.post(f"/checkouts/{checkout_id}/cancel")["Location"] == response["Location"]
    assert ada.get(f"/orders/{order_id}")["status"] == "cancelled"


def test_order_is_dispatched_in_two_parcels_returned_in_part_and_refunded_to_the_last_penny(shop, ada, kim):
    [order_id] = place_all(shop, ada, 1, basket=[(shop.sku, 3)])
    for number, units in (("", 1), ("P-2", 2)):
        body = {"lines": [{"sku": shop.sku, "quantity": units}], **({"parcel_number": number} if number else {})}
        assert kim.post(f"/orders/{order_id}/dispatches", body, wait=WAIT_S).status_code == 200
    assert ada.get(f"/orders/{order_id}")["status"] == "dispatched"
    assert ada.post(f"/orders/{order_id}/cancel").json()["code"] == "already_dispatched"

    asked = {"lines": [{"sku": shop.sku, "quantity": 1}], "reason": "scratched"}
    returned = ada.post(f"/orders/{order_id}/returns", asked)
    received = kim.post(f"/returns/{returned.json()['id']}/receive", {}, wait=WAIT_S)
    assert (received.status_code, received.json()["amount"]["amount_minor"]) == (200, PRICE)
    amount = {"amount_minor": PRICE + 1, "currency": "GBP"}
    assert kim.post(f"/orders/{order_id}/refunds", {"amount": amount, "reason": "late"}, wait=WAIT_S).status_code == 200
    rest = kim.post(f"/orders/{order_id}/refunds", {"reason": "lost"}, wait=WAIT_S)
    assert rest.json()["amount"]["amount_minor"] == PRICE - 1
    assert kim.post(f"/orders/{order_id}/refunds", {"reason": "more"}).json()["code"] == "nothing_left"

    changes = ada.get(f"/orders/{order_id}/changes")["results"]
    shop.ended(*(UUID(change["id"]) for change in changes))
    order = ada.get(f"/orders/{order_id}")
    assert (order["refunded"], order["lines"][0]["returned"]) == (order["total"], 1)
    assert Stock.objects.get(sku=shop.sku).on_hand == 998
    wait_for(lambda: ada.get(f"/returns/{returned.json()['id']}")["state"] == "received", what="the return is closed")


def test_cancel_refund_and_dispatch_at_the_same_moment_leave_books_that_agree(shop, ada, kim):
    """One of cancel and dispatch wins, whichever comes first, and no more is given back than was paid."""
    arrivals = [(arrive, paths) for paths in permutations(PATHS) for arrive in (in_turn, at_once)] * ROUNDS
    shop.stock(2 * len(arrivals))
    orders = place_all(shop, ada, len(arrivals), basket=[(shop.sku, 2)])
    for order_id, (arrive, paths) in zip(orders, arrivals, strict=True):
        responses = arrive([_asking(ada, kim, f"/orders/{order_id}/{path}") for path in paths])
        assert {response.status_code for response in responses} <= {202, 409}
    wait_for(lambda: all(_is_settled(kim, order_id) for order_id in orders), seconds=300, what="the end of all changes")

    for order_id in orders:
        order, changes = kim.get(f"/orders/{order_id}"), kim.get(f"/orders/{order_id}/changes")["results"]
        confirmed = {change["kind"] for change in changes if change["status"] == "confirmed"}
        assert len(confirmed & {"cancel", "dispatch"}) == 1, changes
        assert order["status"] == ("cancelled" if "cancel" in confirmed else "dispatched")
        given_back = sum(change["amount"]["amount_minor"] for change in changes if change["status"] == "confirmed")
        assert given_back == order["refunded"]["amount_minor"] <= order["total"]["amount_minor"]
        refused = {change["failure"]["code"] for change in changes if change["failure"]}
        assert refused <= {"order_cancelled", "already_dispatched", "nothing_left", "order_busy"}


def in_turn(requests: Iterable[Callable[[], Any]]) -> list[Any]:
    """Make each request when the one before it is accepted, and not when it has ended."""
    return [request() for request in requests]


def _asking(ada: Changer, kim: Changer, path: str) -> Callable[[], Any]:
    """Ask for the change, with the same key again while the door is too busy to answer."""
    who, key = ada if path.endswith("cancel") else kim, str(uuid4())

    def ask() -> Any:
        response = who.post(path, {"reason": "at the same moment"}, key=key)
        return None if response.status_code == 503 else response

    return lambda: wait_for(ask, what=f"an answer to {path}")


def _is_settled(kim: Changer, order_id: Any) -> bool:
    changes = kim.get(f"/orders/{order_id}/changes")["results"]
    return all(change["status"] != "processing" for change in changes)
