"""Three refunds of one order at once, through real workers that die where a lock is taken or released."""

import signal
from uuid import UUID

import pytest

from orchestration.contracts.order_changes import ChangeKind
from orchestration.models import SagaLogEntry
from orchestration.protocol.states import Kind
from orders.models import Hold, Order, OrderChange, Turn
from tests.support.order_changes import start

pytestmark = pytest.mark.usefixtures("audited")


def refunds(checkout_id: UUID) -> list[UUID]:
    return [start(checkout_id, ChangeKind.REFUND, ("MUG-01", 1)) for _ in range(3)]


@pytest.mark.parametrize(
    "crash_at",
    [
        "after grant orders.open_change 1",
        "after decide StepWaits 1",
        "before let_go orders.close_change 1",
        "after let_go orders.close_change 1",  # the lock is handed over, and no message says so
        "before publish orchestration.lock_granted 1",
    ],
)
def test_refunds_of_one_order_are_made_one_after_the_other(shop, start_worker, crash_at: str) -> None:
    doomed = start_worker(app="tests.support.crash", env={"CRASH_AT": crash_at})
    checkout_id = shop.place(basket=[("MUG-01", 3)])
    assert shop.ended(checkout_id) == ["completed"]
    sagas = refunds(checkout_id)
    assert doomed.wait_until_dead() == -signal.SIGKILL
    start_worker()

    assert shop.ended(*sagas) == ["completed"] * 3
    order = Order.objects.get()
    assert order.refunded_minor == order.total_minor
    assert len(set(OrderChange.objects.values_list("fence", flat=True))) == 3
    assert not Hold.objects.exists()
    assert not Turn.objects.exists()


def test_saga_that_waits_for_a_lock_goes_on_as_soon_as_it_is_released(shop, start_worker) -> None:
    start_worker()
    checkout_id = shop.place(basket=[("MUG-01", 3)])
    shop.ended(checkout_id)
    sagas = refunds(checkout_id)

    assert shop.ended(*sagas, seconds=14) == ["completed"] * 3
    assert not SagaLogEntry.objects.filter(saga__in=sagas, kind=Kind.FAILED).exists()
