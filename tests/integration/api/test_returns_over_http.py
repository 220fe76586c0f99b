"""Return requests over HTTP: what customers send back, and what staff receive."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from orchestration.contracts.order_changes import ChangeKind
from orchestration.models import SagaInstance
from orders.models import Order, ReturnRequest
from tests.integration.api.conftest import BASE, EVERY_DATABASE, Shopper, pointers
from tests.integration.api.test_order_changes_over_http import ask, line
from tests.support.placed_orders import changed

pytestmark = pytest.mark.django_db(databases=EVERY_DATABASE)

ONE_MUG: dict[str, Any] = {"lines": [line("MUG-01", 1)], "reason": "scratched"}
DAY = timedelta(days=1)


@pytest.fixture
def order(order: Order) -> Order:
    """The order, whose three mugs were dispatched."""
    changed(order.pk, ChangeKind.DISPATCH, ("MUG-01", 3))
    return order


@pytest.fixture
def kim(hire: Callable[..., Shopper]) -> Shopper:
    return hire("kim", "orders.receive_return")


def test_return_request_is_recorded_with_its_last_day(ada: Shopper, order: Order) -> None:
    response = ask(ada, f"/orders/{order.pk}/returns", ONE_MUG)
    made = response.json()
    assert response.status_code == 201
    assert response["Location"] == f"{BASE}/returns/{made['id']}"
    assert UUID(made["id"]).version == 7
    assert (
        made.items()
        >= {
            "order_id": str(order.pk),
            "state": "requested",
            "lines": [line("MUG-01", 1)],
            "reason": "scratched",
            "requested_by": "customer",
        }.items()
    )
    ends = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < ends <= timedelta(days=30)
    assert ada.get(f"/returns/{made['id']}").json() == made
    assert ada.get(f"/orders/{order.pk}/returns").json()["results"] == [made]
    assert not SagaInstance.objects.exists()


def test_same_key_is_one_return_request(ada: Shopper, order: Order) -> None:
    first = ask(ada, f"/orders/{order.pk}/returns", ONE_MUG, key="k-1")
    again = ask(ada, f"/orders/{order.pk}/returns", ONE_MUG, key="k-1")
    assert (again.status_code, again.json()) == (201, first.json())
    reused = ask(ada, f"/orders/{order.pk}/returns", {"nonsense": 1}, key="k-1")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert (reused.json()["return_id"], reused["Location"]) == (first.json()["id"], first["Location"])
    assert ReturnRequest.objects.count() == 1


def test_without_lines_it_is_all_that_was_dispatched(ada: Shopper, order: Order) -> None:
    assert ask(ada, f"/orders/{order.pk}/returns", {"reason": "too big"}).json()["lines"] == [line("MUG-01", 3)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"lines": [line("MUG-01", 1)]}, "/reason required"),
        ({**ONE_MUG, "lines": [line("MUG-01", 4)]}, "/lines/0/quantity quantity_exceeds_ordered"),
        ({**ONE_MUG, "lines": [line("TEA-01", 1)]}, "/lines/0/quantity quantity_exceeds_ordered"),
        ({**ONE_MUG, "lines": [line("LAMP-01", 1)]}, "/lines/0/sku unknown_sku"),
    ],
)
def test_what_cannot_be_returned_is_refused_and_named(
    ada: Shopper, order: Order, body: dict[str, Any], expected: str
) -> None:
    response = ask(ada, f"/orders/{order.pk}/returns", body)
    assert (response.status_code, [" ".join(each) for each in pointers(response)]) == (422, [expected])
    assert not ReturnRequest.objects.exists()


def test_return_request_needs_a_key(ada: Shopper, order: Order) -> None:
    response = ada.post(f"/orders/{order.pk}/returns", data=ONE_MUG, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_missing")


def test_return_of_another_customer_is_not_found(ada: Shopper, grace: Shopper, order: Order) -> None:
    made = ask(ada, f"/orders/{order.pk}/returns", ONE_MUG).json()
    absent = grace.get(f"/returns/{UUID(int=1)}")
    refused = grace.get(f"/returns/{made['id']}")
    assert (refused.status_code, refused.json()) == (absent.status_code, absent.json())


def test_staff_request_a_return_for_a_customer(ada: Shopper, kim: Shopper, order: Order) -> None:
    made = ask(kim, f"/orders/{order.pk}/returns", ONE_MUG).json()
    assert (made["requested_by"], made["reason"]) == ("kim", "scratched")
    [seen] = ada.get(f"/orders/{order.pk}/returns").json()["results"]
    assert (seen["requested_by"], seen["reason"]) == ("staff", "")


def test_received_return_starts_its_saga_with_the_requested_units(ada: Shopper, kim: Shopper, order: Order) -> None:
    made = ask(ada, f"/orders/{order.pk}/returns", ONE_MUG).json()
    response = ask(kim, f"/returns/{made['id']}/receive", {}, key="k-1")
    assert response.status_code == 202
    assert response["Location"] == f"{BASE}/orders/{order.pk}/changes/{response.json()['id']}"
    change = kim.get(response["Location"].removeprefix(BASE)).json()
    assert (
        change.items()
        >= {
            "kind": "return",
            "lines": [line("MUG-01", 1)],
            "return_id": made["id"],
            "reason": "scratched",
            "requested_by": "kim",
        }.items()
    )
    assert SagaInstance.objects.get().definition == "return_order.v1"
    assert ask(kim, f"/returns/{made['id']}/receive", {}, key="k-1").json() == response.json()


def test_key_counts_for_one_return_request(ada: Shopper, kim: Shopper, order: Order) -> None:
    one, two = (ask(ada, f"/orders/{order.pk}/returns", ONE_MUG).json()["id"] for _ in range(2))
    received = [ask(kim, f"/returns/{each}/receive", {}, key="k-1").json()["id"] for each in (one, two)]
    assert received[0] != received[1]


def test_what_came_back_may_be_less_and_less_may_be_given_back(ada: Shopper, kim: Shopper, order: Order) -> None:
    made = ask(ada, f"/orders/{order.pk}/returns", {"reason": "too big"}).json()
    body = {
        "lines": [line("MUG-01", 2)],
        "amount": {"amount_minor": 1500, "currency": "GBP"},
        "reason": "one is broken",
    }
    response = ask(kim, f"/returns/{made['id']}/receive", body)
    change = kim.get(response["Location"].removeprefix(BASE)).json()
    assert (change["lines"], change["amount"], change["reason"]) == (body["lines"], body["amount"], "one is broken")


@pytest.mark.parametrize(
    "ended",
    [{"expires_at": datetime.now(UTC) - DAY}, {"state": "received"}, {"state": "refused"}],
    ids=["expired", "received", "refused"],
)
def test_return_request_that_has_ended_is_too_late(
    ada: Shopper, kim: Shopper, order: Order, ended: dict[str, Any]
) -> None:
    made = ask(ada, f"/orders/{order.pk}/returns", ONE_MUG).json()
    ReturnRequest.objects.update(**ended)
    response = ask(kim, f"/returns/{made['id']}/receive", {})
    assert (response.status_code, response.json()["code"]) == (409, "too_late")
    assert ada.get(f"/returns/{made['id']}").json()["state"] == ended.get("state", "expired")
    assert not SagaInstance.objects.exists()


def test_only_staff_with_the_permission_receive_returns(
    ada: Shopper, hire: Callable[..., Shopper], order: Order
) -> None:
    made = ask(ada, f"/orders/{order.pk}/returns", ONE_MUG).json()
    for who in (ada, hire("almost", "orders.refund_order", "orders.cancel_order", "orders.dispatch_order")):
        assert ask(who, f"/returns/{made['id']}/receive", {}).status_code == 403


def test_return_is_refused_where_nothing_was_dispatched(ada: Shopper, order: Order) -> None:
    order.lines.update(dispatched=0)
    response = ask(ada, f"/orders/{order.pk}/returns", {"reason": "too big"})
    assert (response.status_code, response.json()["code"]) == (409, "nothing_left")


def test_refused_return_request_cannot_be_received(ada: Shopper, kim: Shopper, order: Order) -> None:
    made = ask(ada, f"/orders/{order.pk}/returns", ONE_MUG).json()
    assert ask(ada, f"/returns/{made['id']}/refuse").status_code == 403
    refused = [ask(kim, f"/returns/{made['id']}/refuse") for _ in range(2)]
    assert [(response.status_code, response.json()["state"]) for response in refused] == [(200, "refused")] * 2
    assert ask(kim, f"/returns/{made['id']}/receive", {}).json()["code"] == "too_late"


@pytest.mark.parametrize(
    "ended", [{"expires_at": datetime.now(UTC) - DAY}, {"state": "received"}], ids=["expired", "received"]
)
def test_return_request_that_has_ended_is_not_refused(
    ada: Shopper, kim: Shopper, order: Order, ended: dict[str, Any]
) -> None:
    made = ask(ada, f"/orders/{order.pk}/returns", ONE_MUG).json()
    ReturnRequest.objects.update(**ended)
    response = ask(kim, f"/returns/{made['id']}/refuse")
    assert (response.status_code, response.json()["code"]) == (409, "too_late")
    assert ask(kim, f"/returns/{UUID(int=1)}/refuse").status_code == 404
