"""Changes of a placed order, each a story through all services. After each the books agree."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from inventory.models import Stock
from orchestration.contracts.order_changes import ChangeKind
from orchestration.engine import engine
from orchestration.models import SagaInstance
from orchestration.models.actions import OperatorAction, Via
from orchestration.operators.actions.perform import perform
from orchestration.operators.actions.requests import Actor, Ask
from orchestration.operators.audit.invariants.totals import YOUNG
from orchestration.operators.audit.portions import totals
from orchestration.operators.audit.violations import violations
from orchestration.operators.retention.purge import purge_ledgers, purge_sagas
from orders.models import Hold, Order, OrderChange
from orders.returns import request_return
from orders.selectors import order_with_lines
from payments.gateways.sandbox.models import Operation as AtGateway
from shipping.carriers.sandbox.models import Operation as AtCarrier
from tests.integration.operators.audit.courier import Courier
from tests.support import order_changes
from tests.support.shop import Shop

DISPATCH, CANCEL, REFUND, RETURN = ChangeKind.DISPATCH, ChangeKind.CANCEL, ChangeKind.REFUND, ChangeKind.RETURN
MUG = Shop.sku

Change = Callable[..., UUID]


@pytest.fixture
def change(completed: UUID) -> Change:
    """Start a change of the order of two mugs, at 100 each."""
    return lambda kind, *lines, **fields: order_changes.start(completed, kind, *lines, **fields)


@pytest.fixture
def settled(change: Change, courier: Courier) -> Callable[..., str]:
    """Make a change, and return how it ended: "completed", or the code of its refusal."""

    def settled(kind: ChangeKind, *lines: tuple[str, int], **fields: Any) -> str:
        return end_of(change(kind, *lines, **fields), courier)

    return settled


@pytest.fixture(autouse=True)
def books_agree(one_clock: None) -> Iterator[None]:
    yield
    assert violations() == []


def end_of(saga_id: UUID, courier: Courier) -> str:
    phase = courier.settle(saga_id)
    failure = SagaInstance.objects.get(pk=saga_id).failure
    return failure["code"] if phase == "compensated" and failure else phase


def order() -> Order:
    return Order.objects.get()


def stock() -> tuple[int, int]:
    row = Stock.objects.get(sku=MUG)
    return row.on_hand, row.reserved


def given_back() -> int:
    """The minor units that the gateway has given back."""
    return sum(AtGateway.objects.filter(kind="refund").values_list("amount_minor", flat=True))


def purge(ended_before: datetime) -> None:
    """Purge the sagas that have ended, and what services remember of them."""
    for _ in (*purge_sagas(ended_before), *purge_ledgers(ended_before)):
        continue


def test_an_order_goes_out_in_two_parcels(settled: Callable[..., str]) -> None:
    assert settled(DISPATCH, (MUG, 1)) == "completed"
    assert (order().status, stock()) == ("partly_dispatched", (999, 1))
    assert settled(DISPATCH, parcel_number="P-2") == "completed"
    assert (order().status, stock()) == ("dispatched", (998, 0))
    assert settled(DISPATCH) == "nothing_left"
    assert not Hold.objects.exists()


def test_a_cancelled_order_gives_back_money_units_and_parcel(settled: Callable[..., str]) -> None:
    assert settled(CANCEL) == "completed"
    assert (order().status, order().refunded_minor, stock(), given_back()) == ("cancelled", 200, (1000, 0), 200)
    assert set(AtCarrier.objects.values_list("kind", flat=True)) == {"book", "cancel"}
    assert settled(CANCEL) == "order_cancelled"
    assert settled(DISPATCH) == "order_cancelled"


def test_a_dispatched_order_is_not_cancelled(settled: Callable[..., str]) -> None:
    settled(DISPATCH, (MUG, 1))
    assert settled(CANCEL) == "already_dispatched"
    assert (order().status, given_back()) == ("partly_dispatched", 0)


def test_an_order_is_refunded_in_parts_to_the_last_penny(settled: Callable[..., str]) -> None:
    assert [settled(REFUND, amount_minor=amount) for amount in (150, 49, 2, 1, 1)] == [
        "completed",
        "completed",
        "refund_exceeds_paid",
        "completed",
        "refund_exceeds_paid",
    ]
    assert (order().status, order().refunded_minor, given_back()) == ("confirmed", 200, 200)


def test_an_order_that_was_refunded_is_still_cancelled(settled: Callable[..., str]) -> None:
    settled(REFUND)
    assert settled(CANCEL) == "completed"
    assert (order().status, given_back(), stock()) == ("cancelled", 200, (1000, 0))


def test_a_received_return_restocks_and_gives_back_the_price(settled: Callable[..., str]) -> None:
    settled(DISPATCH)
    placed = order_with_lines(order().pk)
    assert placed is not None
    asked = request_return(
        placed,
        (),
        return_id=uuid4(),
        reason="too small",
        requested_by="customer",
        idempotency_key="k",
        request_hash="",
        now=timezone.now(),
    )
    assert settled(REFUND, amount_minor=50) == "completed"  # a requested return holds no lock
    assert settled(RETURN, (MUG, 1), return_id=asked.id) == "completed"
    assert (order().status, order().refunded_minor, given_back(), stock()) == ("dispatched", 150, 150, (999, 0))
    asked.refresh_from_db()
    assert asked.state == "received"
    assert settled(RETURN, (MUG, 1), return_id=asked.id) == "too_late"
    assert settled(RETURN) == "completed"
    assert (order().refunded_minor, stock()) == (200, (1000, 0))


def test_a_change_that_is_refused_at_its_pivot_is_dropped(
    settled: Callable[..., str], shop: Shop, courier: Courier
) -> None:
    settled(DISPATCH, (MUG, 1), parcel_number="P-1")
    assert settled(DISPATCH, (MUG, 1), parcel_number="P-1") == "parcel_number_taken"
    assert (order().status, stock()) == ("partly_dispatched", (999, 1))
    assert not Hold.objects.exists()
    assert OrderChange.objects.filter(state="dropped").count() == 1


def test_a_change_waits_for_the_one_before_it(change: Change, courier: Courier) -> None:
    first, second = change(REFUND, amount_minor=120), change(REFUND, amount_minor=120)
    courier.loses = "approve_refund"
    courier.deliver()
    waiting = SagaInstance.objects.get(pk=second)
    assert (waiting.waits_for, OrderChange.objects.get().pk) == (first, first)
    courier.loses = ""
    assert (end_of(first, courier), end_of(second, courier)) == ("completed", "refund_exceeds_paid")
    assert given_back() == 120


def test_a_change_whose_lock_was_broken_gives_no_money_back(change: Change, courier: Courier) -> None:
    """An operator breaks the lock of a change that hangs. Then another change gets it, with a higher fencing token."""
    courier.loses = "approve_refund"
    first = change(REFUND, amount_minor=150)
    courier.deliver()
    Hold.objects.all().delete()
    courier.loses = ""
    second = change(REFUND, amount_minor=50)
    assert end_of(second, courier) == "completed"
    assert OrderChange.objects.get(pk=first).state == "superseded"
    assert courier.settle(first) == "compensated"
    assert (OrderChange.objects.get(pk=first).state, order().refunded_minor, given_back()) == ("dropped", 50, 50)


def test_a_refund_that_was_paid_in_another_way_is_settled(shop: Shop, courier: Courier) -> None:
    checkout = shop.place(basket=[(MUG, 2)], payment_method="tok_refund_refused")
    assert courier.settle(checkout) == "completed"
    saga_id = order_changes.start(checkout, REFUND, amount_minor=50)
    assert courier.settle(saga_id) == "finishing"
    ada = Actor("ada", None, Via.COMMAND)
    ask = Ask(OperatorAction.SETTLE, ada, reason="refused", step="give_back", evidence="transfer 4711")
    perform(saga_id, ask, expected_version=None)
    assert courier.settle(saga_id) == "completed"
    assert (order().refunded_minor, given_back()) == (50, 0)
    found = totals(at=datetime.now(UTC) + 2 * YOUNG)
    assert list(found.sightings) == []


def test_an_order_is_cancelled_before_its_money_was_captured(shop: Shop, courier: Courier) -> None:
    courier.loses = "capture_payment"
    checkout = shop.place(basket=[(MUG, 2)])
    courier.deliver()
    cancellation = order_changes.start(checkout, CANCEL)
    courier.deliver()
    assert "failed give_back" in shop.story(cancellation)
    courier.loses = ""
    assert (courier.settle(checkout), courier.settle(cancellation)) == ("completed", "completed")
    assert (order().status, given_back(), stock()) == ("cancelled", 200, (1000, 0))


def test_an_order_is_changed_after_its_checkout_was_purged(settled: Callable[..., str]) -> None:
    settled(DISPATCH, (MUG, 1))
    purge(ended_before=datetime.now(UTC))
    assert not SagaInstance.objects.exists()
    assert violations() == []
    assert [settled(REFUND, amount_minor=50), settled(RETURN)] == ["completed", "completed"]
    assert (order().status, order().refunded_minor, given_back()) == ("partly_dispatched", 150, 150)
    purge(ended_before=datetime.now(UTC))


def test_the_sums_of_all_orders_take_changes_into_account(settled: Callable[..., str]) -> None:
    assert [settled(REFUND, amount_minor=50), settled(CANCEL)] == ["completed", "completed"]
    found = totals(at=datetime.now(UTC) + 2 * YOUNG)  # so that these sagas are old enough to count
    assert (list(found.sightings), found.checked["Q4"]) == ([], 1)


@pytest.mark.parametrize("lost", ["stop_parcel", "cancel_parcel", "give_back", "release_units", "close_change"])
def test_a_cancellation_survives_the_loss_of_any_message(change: Change, courier: Courier, lost: str) -> None:
    saga_id = change(CANCEL)
    courier.loses = lost
    courier.deliver()
    courier.loses = ""
    assert courier.settle(saga_id) == "completed"
    courier.send_everything_again()
    courier.deliver()
    assert (order().status, given_back(), stock()) == ("cancelled", 200, (1000, 0))


def test_a_change_that_is_given_up_before_its_pivot_leaves_no_trace(change: Change, courier: Courier) -> None:
    saga_id = change(DISPATCH)
    courier.loses = "hand_over"
    courier.deliver()
    courier.loses = ""
    engine.cancel_saga(saga_id, now=datetime.now(UTC))
    assert courier.settle(saga_id) == "compensated"
    assert (order().status, stock()) == ("confirmed", (1000, 2))
    assert [line.dispatched for line in order().lines.all()] == [0]
    assert not Hold.objects.exists()
