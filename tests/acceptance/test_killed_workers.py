"""A worker killed with SIGKILL at every failpoint, and another one that takes over."""

import signal
from typing import Any

import pytest

from orders.models import Order
from payments.gateways.sandbox import models as gateway

pytestmark = pytest.mark.usefixtures("audited")


def killed(shop, start_worker, crash_at: str, **asked: Any) -> list[str]:
    """Place an order, see the worker die at that failpoint, start another one; the phase the saga ends in."""
    doomed = start_worker(app="tests.support.crash", env={"CRASH_AT": crash_at})
    saga_id = shop.place(**asked)
    assert doomed.wait_until_dead() == -signal.SIGKILL
    start_worker()
    return shop.ended(saga_id)


@pytest.mark.parametrize(
    "crash_at",
    [
        "before commit inventory.reserve_stock 1",
        "after commit inventory.reserve_stock 1",
        "before ack inventory.reserve_stock 1",
        "after claim payments.authorise_payment 1",  # started, and the gateway was not called
        "before conclude payments.authorise_payment 1",  # the gateway holds the money, and nobody wrote it down
        "before commit orders.place_order 1",
        "after commit orders.place_order 1",
        "before conclude payments.capture_payment 1",
    ],
)
def test_order_is_placed_and_paid_once(shop, start_worker, crash_at: str):
    assert killed(shop, start_worker, crash_at) == ["completed"]
    assert Order.objects.count() == 1
    assert gateway.Operation.objects.count() == 2  # an authorisation and a capture
    assert shop.available() == 999


@pytest.mark.parametrize(
    "crash_at",
    [
        "after decide StepRefused 1",
        "before ack inventory.reserve_stock 1",  # the message that began it stands for all steps, to the report
        "after undoing payments.refund_payment 1",  # undoing, and the gateway was not called
        "before conclude payments.refund_payment 1",  # the gateway let the money go, and nobody wrote it down
        "before commit inventory.release_stock 1",
        "after commit inventory.release_stock 1",
        "before ack payments.refund_payment 1",
    ],
)
def test_refused_order_is_undone_once(shop, start_worker, crash_at: str):
    assert killed(shop, start_worker, crash_at, line2="carrier_refuse") == ["compensated"]
    assert gateway.Operation.objects.count() == 2  # an authorisation and a void
    assert shop.available() == 1000
