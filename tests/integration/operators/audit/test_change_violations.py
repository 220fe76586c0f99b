"""R1, R2 and R7 seen to fail at orders."""

from uuid import UUID, uuid4

import pytest

from orders.models import Order, OrderChange, OrderLine
from tests.integration.operators.audit.conftest import Found


def a_change(saga_id: UUID, **fields: object) -> None:
    """Write a change of the one order, as its saga never did."""
    made = {"kind": "refund", "lines": [], "amount_minor": 0, "fence": 1, "requested_by": "kim", "reason": ""}
    OrderChange.objects.create(id=saga_id, order=Order.objects.get(), **(made | fields))


def test_money_that_was_given_back_without_a_change_is_found(completed: UUID, found: Found) -> None:
    Order.objects.update(refunded_minor=50)
    assert found("R1") == ["The order counts 0.50 GBP given back, its changes 0.00 GBP."]


def test_a_change_that_the_order_does_not_count_is_found(completed: UUID, found: Found) -> None:
    a_change(uuid4(), amount_minor=300, state="closed")
    assert found("R1") == [
        "The order counts 0.00 GBP given back, its changes 3.00 GBP.",
        "Its changes give back 3.00 GBP of an order of 2.00 GBP.",
    ]


@pytest.mark.usefixtures("one_clock")
def test_an_open_change_whose_saga_has_ended_is_found(completed: UUID, found: Found) -> None:
    a_change(completed)
    assert found("R2") == ["The change is open, and its saga has ended."]


def test_two_open_changes_are_refused_by_the_database_and_would_be_found(
    completed: UUID, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_change(uuid4())
    a_change(uuid4(), state="superseded")
    assert found("R2") == []
    monkeypatch.setattr("orchestration.contracts.audit.ChangeFacts.is_open", True)
    assert found("R2") == ["2 changes of the order are open."]


@pytest.mark.parametrize("column", ["dispatched", "returned"])
def test_units_that_no_change_has_moved_are_found(completed: UUID, found: Found, column: str) -> None:
    a_change(uuid4(), kind="dispatch", state="closed", lines=[{"sku": "MUG-01", "quantity": 1}])
    OrderLine.objects.update(**({"dispatched": 1} | {column: 1}))
    Order.objects.update(status="partly_dispatched")
    faults = {"dispatched": [], "returned": ["The order's lines count 1 units returned, its changes 0."]}
    assert found("R7") == faults[column]


@pytest.mark.parametrize("status", ["dispatched", "partly_dispatched", "cancelled"])
def test_a_status_that_no_change_has_brought_about_is_found(completed: UUID, found: Found, status: str) -> None:
    Order.objects.update(status=status)
    assert found("R7") == [f"The order is {status}, and by its changes confirmed."]


def test_a_closed_cancellation_of_an_order_that_is_not_cancelled_is_found(completed: UUID, found: Found) -> None:
    a_change(uuid4(), kind="cancel", state="closed")
    assert found("R7") == ["The order is confirmed, and by its changes cancelled."]


def test_the_status_may_lag_while_a_change_is_under_way(completed: UUID, found: Found) -> None:
    a_change(uuid4(), kind="dispatch", lines=[{"sku": "MUG-01", "quantity": 2}])
    OrderLine.objects.update(dispatched=2)
    assert found("R7") == []


def test_a_change_without_its_saga_and_ledger_row_is_found(completed: UUID, found: Found) -> None:
    a_change(uuid4(), state="closed")
    assert found("Q6") == ["There is no saga to this change of an order."]
    assert "open_change has an effect, and its ledger row does not exist." in found("A4")
