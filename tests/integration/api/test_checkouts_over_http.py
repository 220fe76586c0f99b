"""`POST /checkouts`, what becomes of it, and calling it off."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Any
from uuid import UUID

import pytest

from orchestration.contracts.orders import place_order
from orchestration.engine import engine, selectors
from orchestration.models import SagaInstance
from orchestration.participant.ledger_store import Call
from orchestration.participant.participant import participant_of
from orchestration.protocol.events import ChainCompleted, PivotBarred, PivotFoundDone, StepRefused, StepsUndone
from orchestration.sagas.checkout import checkout as definition
from orchestration.testing import step_runner
from orders.models import OrderLine
from tests.integration.api.conftest import EVERY_DATABASE, Cart, Shopper

pytestmark = [pytest.mark.django_db(databases=EVERY_DATABASE), pytest.mark.usefixtures("catalogue")]
committed = pytest.mark.django_db(transaction=True, databases=EVERY_DATABASE)
"""For tests in which a participant works: the kit owns its transactions."""

STEPS = ["reserve_stock", "authorise_payment", "schedule_shipment", "place_order", "capture_payment"]
OUT_OF_STOCK = {"code": "out_of_stock", "detail": "Not enough of it is left.", "facts": {"sku": "MUG-01"}}


def happen(checkout_id: str, event: Any) -> None:
    engine.apply(UUID(checkout_id), event, now=datetime.now(UTC))


def place(checkout_id: str) -> None:
    """Carry the pivot out, as a worker would."""
    instance = selectors.saga(UUID(checkout_id))
    assert instance is not None
    known = {
        **instance.request,
        "saga_id": checkout_id,
        "authorisation_id": "auth_1",
        "tracking_number": "TRACK-1",
    }
    step_runner.act(participant_of("orders"), place_order, [Call(instance.id, place_order.step, 1, known=known)])


def refuse(checkout_id: str) -> None:
    happen(checkout_id, StepRefused("reserve_stock", OUT_OF_STOCK))


def undo(checkout_id: str) -> None:
    now = datetime.now(UTC)
    happen(checkout_id, StepsUndone(tuple((step, now) for step in reversed(STEPS[:3]))))


def pivot_is_open_at_first(pivot_is_done: Callable[[SagaInstance], bool]) -> Callable[[SagaInstance], bool]:
    """The look at the pivot, whose first answer is that the order is not placed."""
    answers = chain([lambda _: False], repeat(pivot_is_done))
    return lambda instance: next(answers)(instance)


@pytest.fixture
def checkout_id(ada: Shopper, two_mugs: Cart) -> str:
    return str(ada.check_out(two_mugs).json()["id"])


def test_checkout_is_accepted_and_says_where_to_look(ada: Shopper, two_mugs: Cart) -> None:
    response = ada.check_out(two_mugs)
    accepted = response.json()
    assert response.status_code == 202
    assert response["Location"] == f"/api/v1/checkouts/{accepted['id']}"
    assert response["Retry-After"] == "1"
    assert accepted.keys() == {"id", "order_id", "status", "total", "created_at"}
    assert (UUID(accepted["id"]).version, UUID(accepted["order_id"]).version) == (7, 7)
    assert accepted["status"] == "processing"
    assert accepted["total"] == {"amount_minor": 1998, "currency": "GBP"}


def test_saga_knows_what_was_asked_and_nothing_secret(ada: Shopper, two_mugs: Cart) -> None:
    two_mugs["payment_method"] = "tok_canary"
    accepted = ada.check_out(two_mugs, key="k-1").json()
    instance = selectors.saga_by_key(ada.id, "k-1")
    assert instance is not None
    assert str(instance.id) == accepted["id"]
    assert str(instance.order_id) == accepted["order_id"]
    assert instance.request["lines"] == [{"sku": "MUG-01", "quantity": 2, "unit_price_minor": 999}]
    assert instance.request["shipping_address"]["line2"] == ""
    assert "canary" not in str(instance.request)


def test_new_checkout_waits_for_every_step(ada: Shopper, two_mugs: Cart) -> None:
    accepted = ada.check_out(two_mugs).json()
    checkout = ada.get(f"/checkouts/{accepted['id']}").json()
    assert checkout == {
        **accepted,
        "discount": {"amount_minor": 0, "currency": "GBP"},
        "credit": {"amount_minor": 0, "currency": "GBP"},
        "card": accepted["total"],
        "steps": [
            {
                "name": step.name,
                "status": "waiting" if step.name in STEPS else "skipped",
                "since": None,
                "attempts": 0,
            }
            for step in definition.steps
        ],
        "failure": None,
        "decided_at": None,
    }


@committed
def test_placed_order_confirms_the_checkout_although_the_capture_is_still_owed(ada: Shopper, checkout_id: str) -> None:
    place(checkout_id)
    checkout = ada.get(f"/checkouts/{checkout_id}").json()
    assert (checkout["status"], checkout["failure"]) == ("confirmed", None)
    steps = {step["name"]: step for step in checkout["steps"] if step["status"] != "skipped"}
    assert checkout["decided_at"] == steps["place_order"]["since"] is not None
    assert [steps[name]["status"] for name in STEPS] == ["waiting"] * 3 + ["done", "waiting"]
    assert ada.get(f"/orders/{checkout['order_id']}").json()["checkout_id"] == checkout_id


@committed
def test_completed_checkout_stays_confirmed(ada: Shopper, checkout_id: str) -> None:
    place(checkout_id)
    happen(checkout_id, ChainCompleted(tuple((step, datetime.now(UTC)) for step in STEPS)))
    assert ada.get(f"/checkouts/{checkout_id}").json()["status"] == "confirmed"


def test_refused_checkout_has_failed_at_once_and_says_why(ada: Shopper, checkout_id: str) -> None:
    refuse(checkout_id)
    failed = ada.get(f"/checkouts/{checkout_id}").json()
    assert failed["status"] == "failed"
    assert failed["failure"] == {"code": "out_of_stock", "detail": "Not enough of it is left.", "order_id": None}
    undo(checkout_id)
    undone = ada.get(f"/checkouts/{checkout_id}").json()
    assert (undone["status"], undone["decided_at"]) == ("failed", failed["decided_at"])
    assert failed["decided_at"] is not None


def test_cancelled_checkout_is_cancelling_until_everything_is_undone(ada: Shopper, checkout_id: str) -> None:
    response = ada.post(f"/checkouts/{checkout_id}/cancel")
    assert (response.status_code, response.json()["status"]) == (202, "cancelling")
    happen(checkout_id, PivotBarred())
    assert ada.get(f"/checkouts/{checkout_id}").json()["status"] == "cancelling"
    undo(checkout_id)
    cancelled = ada.get(f"/checkouts/{checkout_id}").json()
    assert (cancelled["status"], cancelled["failure"]["code"]) == ("cancelled", "cancelled")
    assert cancelled["decided_at"] is not None


def test_cancelling_again_changes_nothing(ada: Shopper, checkout_id: str) -> None:
    first = ada.post(f"/checkouts/{checkout_id}/cancel")
    again = ada.post(f"/checkouts/{checkout_id}/cancel")
    assert (again.status_code, again.json()) == (first.status_code, first.json())


def test_cancelling_what_has_failed_is_no_error(ada: Shopper, checkout_id: str) -> None:
    refuse(checkout_id)
    response = ada.post(f"/checkouts/{checkout_id}/cancel")
    assert (response.status_code, response.json()["status"]) == (202, "failed")


@committed
def test_cancelling_once_the_order_is_placed_starts_the_cancellation_of_the_order(
    ada: Shopper, checkout_id: str
) -> None:
    place(checkout_id)
    response = ada.post(f"/checkouts/{checkout_id}/cancel")
    assert (response.status_code, response.json()["status"]) == (202, "confirmed")
    change = ada.client.get(response["Location"], headers={"Authorization": f"Token {ada.token}"}).json()
    assert (change["kind"], change["status"], change["requested_by"]) == ("cancel", "processing", "customer")
    assert change["order_id"] == response.json()["order_id"]
    happen(checkout_id, ChainCompleted(tuple((step, datetime.now(UTC)) for step in STEPS)))
    assert ada.post(f"/checkouts/{checkout_id}/cancel")["Location"] == response["Location"]


@committed
def test_cancelling_the_placed_order_again_starts_a_new_cancellation_only_after_one_has_failed(
    ada: Shopper, checkout_id: str
) -> None:
    place(checkout_id)
    first = ada.post(f"/checkouts/{checkout_id}/cancel")["Location"]
    happen(first.rpartition("/")[2], StepRefused("open_change", {"code": "resource_busy", "detail": "", "facts": {}}))
    second = ada.post(f"/checkouts/{checkout_id}/cancel")["Location"]
    assert second != first
    assert ada.post(f"/checkouts/{checkout_id}/cancel")["Location"] == second


@committed
def test_order_that_is_placed_between_look_and_cancel_is_cancelled_as_an_order(
    ada: Shopper, checkout_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(checkout_id)
    happen(checkout_id, ChainCompleted(tuple((step, datetime.now(UTC)) for step in STEPS)))
    with monkeypatch.context() as patched:
        patched.setattr(selectors, "pivot_is_done", pivot_is_open_at_first(selectors.pivot_is_done))
        response = ada.post(f"/checkouts/{checkout_id}/cancel")
    assert (response.status_code, "/changes/" in response["Location"]) == (202, True)


@committed
def test_order_whose_parcel_was_handed_over_cannot_be_cancelled_by_its_checkout(ada: Shopper, checkout_id: str) -> None:
    place(checkout_id)
    OrderLine.objects.update(dispatched=1)
    response = ada.post(f"/checkouts/{checkout_id}/cancel")
    assert (response.status_code, response.json()["code"]) == (409, "already_dispatched")


@committed
def test_change_of_an_order_is_no_checkout(ada: Shopper, checkout_id: str) -> None:
    place(checkout_id)
    change_id = ada.post(f"/checkouts/{checkout_id}/cancel")["Location"].rpartition("/")[2]
    assert ada.get(f"/checkouts/{change_id}").status_code == 404
    assert ada.post(f"/checkouts/{change_id}/cancel").status_code == 404


@committed
def test_order_that_is_placed_while_it_is_cancelled_is_confirmed(ada: Shopper, checkout_id: str) -> None:
    ada.post(f"/checkouts/{checkout_id}/cancel")
    place(checkout_id)
    assert ada.get(f"/checkouts/{checkout_id}").json()["status"] == "confirmed"
    happen(checkout_id, PivotFoundDone())
    assert ada.get(f"/checkouts/{checkout_id}").json()["status"] == "confirmed"


def test_checkout_of_another_customer_is_not_found(ada: Shopper, grace: Shopper, checkout_id: str) -> None:
    assert grace.get(f"/checkouts/{checkout_id}").json()["code"] == "not_found"
    response = grace.post(f"/checkouts/{checkout_id}/cancel")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert ada.get(f"/checkouts/{checkout_id}").json()["status"] == "processing"


def test_preference_for_waiting_answers_with_the_outcome(ada: Shopper, two_mugs: Cart) -> None:
    accepted = ada.check_out(two_mugs, key="k-1").json()
    refuse(accepted["id"])
    response = ada.check_out(two_mugs, key="k-1", Prefer="wait=10")
    assert response.status_code == 200
    assert response["Preference-Applied"] == "wait=10"
    assert response.json() == ada.get(f"/checkouts/{accepted['id']}").json()


def test_preference_for_waiting_is_over_when_its_time_is(ada: Shopper, two_mugs: Cart) -> None:
    accepted = ada.check_out(two_mugs, key="k-1")
    began = datetime.now(UTC)
    response = ada.check_out(two_mugs, key="k-1", Prefer="wait=1")
    waited = (datetime.now(UTC) - began).total_seconds()
    assert (response.status_code, response.json()) == (202, accepted.json())
    assert response["Preference-Applied"] == "wait=1"
    assert 1 <= waited < 3


def test_nobody_waits_without_the_preference(ada: Shopper, two_mugs: Cart) -> None:
    response = ada.check_out(two_mugs, key="k-1")
    assert "Preference-Applied" not in response
    refuse(response.json()["id"])
    assert ada.check_out(two_mugs, key="k-1").status_code == 202
