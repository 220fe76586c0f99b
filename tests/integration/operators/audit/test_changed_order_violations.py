"""A2, A4 and Q2 seen to fail for orders that were dispatched, cancelled or returned."""

from uuid import UUID

import pytest
from django.db.models import F

from inventory.models import Movement, Reservation, Stock
from orchestration.contracts.order_changes import ChangeKind
from orchestration.models.actions import OperatorAction, Via
from orchestration.operators.actions.perform import perform
from orchestration.operators.actions.requests import Actor, Ask
from orchestration.operators.audit.violations import Unfinished, audit, violations
from orders.models import Order
from shipping.carriers.sandbox.models import Operation
from shipping.models import Dispatch, Shipment
from tests.integration.operators.audit.conftest import Found
from tests.integration.operators.audit.courier import Courier
from tests.support import order_changes
from tests.support.shop import Shop

pytestmark = pytest.mark.usefixtures("one_clock")

MUG = Shop.sku


def changed(checkout_id: UUID, courier: Courier, kind: ChangeKind, *lines: tuple[str, int]) -> UUID:
    """Make a change of the order, and return its saga. The books agree afterwards."""
    saga_id = order_changes.start(checkout_id, kind, *lines)
    assert courier.settle(saga_id) == "completed"
    assert violations() == []
    return saga_id


@pytest.fixture
def dispatched(completed: UUID, courier: Courier) -> UUID:
    return changed(completed, courier, ChangeKind.DISPATCH, (MUG, 1))


@pytest.fixture
def cancelled(completed: UUID, courier: Courier) -> UUID:
    return changed(completed, courier, ChangeKind.CANCEL)


def test_units_consumed_by_the_stock_row_alone_are_found(dispatched: UUID, found: Found) -> None:
    Stock.objects.update(on_hand=F("on_hand") - 1, reserved=F("reserved") - 1)
    assert found("A1") == ["0 units of MUG-01 reserved, live reservations hold 1."]
    assert found("A2") == [
        "998 units of MUG-01 on hand, received and returned less consumed is 999.",
        "0 units of MUG-01 reserved, the movements leave 1.",
    ]


def test_units_that_left_without_a_movement_are_found(dispatched: UUID, found: Found) -> None:
    Movement.objects.filter(kind=Movement.Kind.CONSUMED).delete()
    assert found("A4") == [
        "1 unit of MUG-01 consumed, 0 movements consumed 0.",
        "consume_units has no effect, and its ledger row is done.",
    ]


def test_units_that_left_and_are_still_promised_are_found(dispatched: UUID, found: Found) -> None:
    Reservation.objects.update(consumed=0)
    assert found("A1") == ["1 unit of MUG-01 reserved, live reservations hold 2."]
    assert found("A4") == ["0 units of MUG-01 consumed, 1 movement consumed 1."]


def test_a_dispatch_that_shipping_has_forgotten_is_found(dispatched: UUID, found: Found) -> None:
    Dispatch.objects.all().delete()
    assert found("A4") == ["hand_over has no effect, and its ledger row is done."]


def test_returned_units_that_inventory_has_forgotten_are_found(dispatched: UUID, completed: UUID, found: Found) -> None:
    Reservation.objects.update(returned=1)
    assert found("A4") == ["1 unit of MUG-01 returned, 0 movements returned 0."]


def test_units_of_a_cancelled_order_that_are_still_held_are_found(cancelled: UUID, found: Found) -> None:
    Reservation.objects.update(released_at=None)
    Movement.objects.filter(kind=Movement.Kind.RELEASED).delete()
    Stock.objects.update(reserved=2)
    assert found("Q2") == ["The saga is completed, and the order is cancelled, and it still holds units."]


@pytest.mark.parametrize("status", ["booked", "stopped"])
def test_a_parcel_of_a_cancelled_order_that_is_not_cancelled_is_found(
    cancelled: UUID, found: Found, status: str
) -> None:
    stopped_by = None if status == "booked" else cancelled
    Shipment.objects.update(status=status, stopped_by=stopped_by)
    assert found("Q2") == [f"The saga is completed, and the order is cancelled, and its shipment is {status}."]


def test_a_parcel_of_a_cancelled_order_that_the_carrier_carries_is_found(cancelled: UUID, found: Found) -> None:
    Operation.objects.filter(kind="cancel").delete()
    assert found("Q2") == ["The saga is completed, and the carrier has 1 live parcels."]


def test_an_order_that_is_not_cancelled_keeps_its_units_and_its_parcel(cancelled: UUID, found: Found) -> None:
    Order.objects.update(status="confirmed")
    assert found("Q2")[:2] == [
        "The saga is completed, and the order is not cancelled, and its units were released.",
        "The saga is completed, and the order is not cancelled, and its shipment is cancelled.",
    ]


def test_fewer_units_than_were_ordered_are_found(dispatched: UUID, found: Found) -> None:
    Reservation.objects.update(quantity=1)
    assert "The saga is completed, and it does not hold the units that were ordered." in found("Q2")


def test_a_key_of_a_change_of_another_order_is_found(
    cancelled: UUID, shop: Shop, courier: Courier, found: Found
) -> None:
    other = changed(_placed(shop, courier), courier, ChangeKind.CANCEL)
    Operation.objects.filter(key__startswith=str(cancelled)).update(key=f"{other}:cancel_parcel:compensation")
    assert found("Q6") == ["The carrier holds a key of another saga than the one it was made for."]


@pytest.mark.parametrize("lost", ["cancel_parcel", "give_back", "release_units", "close_change"])
def test_an_order_is_not_judged_while_it_is_being_cancelled(completed: UUID, courier: Courier, lost: str) -> None:
    courier.loses = lost
    saga_id = order_changes.start(completed, ChangeKind.CANCEL)
    courier.deliver()
    assert violations(Unfinished(running=True)) == []
    assert [each.invariant for each in violations()] == ["Q1"]
    courier.loses = ""
    assert courier.settle(saga_id) == "completed"
    assert violations() == []


def test_a_parcel_that_was_collected_is_settled_by_an_operator_and_accepted(shop: Shop, courier: Courier) -> None:
    checkout_id = _placed(shop, courier, line2="carrier_collected")
    saga_id = order_changes.start(checkout_id, ChangeKind.CANCEL)
    assert courier.settle(saga_id) == "finishing", "parked at cancel_parcel"
    settle = Ask(
        OperatorAction.SETTLE,
        Actor("ada", None, Via.COMMAND),
        reason="the driver had it",
        step="cancel_parcel",
        evidence="the customer sent it back",
    )
    perform(saga_id, settle, expected_version=None)
    assert courier.settle(saga_id) == "completed"
    findings = audit()
    assert findings.violations == []
    assert sorted(violation.message for violation, _ in findings.accepted) == [
        "The saga is completed, and the carrier has 1 live parcels.",
        "The saga is completed, and the order is cancelled, and its shipment is stopped.",
    ]


def _placed(shop: Shop, courier: Courier, *, line2: str = "") -> UUID:
    checkout_id = shop.place(line2=line2)
    assert courier.settle(checkout_id) == "completed"
    return checkout_id
