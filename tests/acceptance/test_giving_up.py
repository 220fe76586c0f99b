"""Cancelled or late: undone before the pivot, refused or ignored after it, and never half of each."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from cryptography.fernet import Fernet

from orchestration.contracts.values import Encrypted
from orchestration.engine import engine
from orchestration.messaging.topology import ORCHESTRATOR, SERVICES
from orchestration.models import SagaInstance
from orchestration.protocol.transitions import TooLate
from orchestration.sagas.checkout import checkout
from orders.models import Order
from payments.gateways.sandbox import models as gateway
from shipping.carriers.sandbox import models as carrier
from tests.support.crowd import at_once
from tests.support.processes import COMPENSATIONS
from tests.support.shop import NOT_NEEDED

pytestmark = pytest.mark.usefixtures("audited")


def cancel(saga_id: UUID) -> bool:
    """Ask for it; whether it was accepted."""
    try:
        engine.cancel_saga(saga_id, now=datetime.now(UTC))
    except TooLate:
        return False
    return True


def late() -> datetime:
    """A start so long ago that the deadline has passed."""
    return datetime.now(UTC) - checkout.deadline - timedelta(seconds=1)


@pytest.mark.parametrize("reason", ["cancelled", "deadline_passed"])
def test_compensations_that_come_before_their_actions_bar_them(shop, start_worker, workforce, reason: str):
    start_worker([ORCHESTRATOR, *COMPENSATIONS])

    saga_id = shop.place(now=late() if reason == "deadline_passed" else None)
    if reason == "cancelled":
        assert cancel(saga_id)
    assert shop.ended(saga_id) == ["compensated"]
    start_worker(SERVICES)
    workforce.wait_until_quiet()

    assert shop.saga(saga_id).failure["code"] == reason
    steps = {step.name for step in checkout.steps[: checkout.pivot_position + 1]} - NOT_NEEDED
    assert shop.ledger(saga_id) == dict.fromkeys(steps, "barred")
    assert not gateway.Operation.objects.exists()
    assert shop.available() == 1000


@pytest.mark.parametrize("reason", ["cancelled", "deadline_passed"])
def test_order_whose_payment_method_no_key_opens_ends_at_once(shop, shared_worker, reason: str):
    lost = Fernet(Fernet.generate_key()).encrypt(b"tok_ok").decode()
    soon = datetime.now(UTC) - checkout.deadline + timedelta(seconds=3)
    request = replace(shop.request(), payment_method=Encrypted(lost))
    saga_id = shop.place(request, now=soon if reason == "deadline_passed" else None)
    shop.reaches(saga_id, "failed authorise_payment")
    assert shop.saga(saga_id).last_error == "SealBroken"
    assert "authorise_payment" not in shop.ledger(saga_id)

    if reason == "cancelled":
        assert cancel(saga_id)

    assert shop.ended(saga_id, seconds=20) == ["compensated"]
    assert shop.saga(saga_id).failure["code"] == reason
    assert shop.ledger(saga_id)["authorise_payment"] == "barred"
    assert not gateway.Operation.objects.exists()


def test_order_cancelled_just_before_the_pivot_is_undone_and_a_late_pivot_is_turned_away(shop, start_worker, workforce):
    start_worker([ORCHESTRATOR, "inventory", "payments", "shipping", *COMPENSATIONS])
    saga_id = shop.place(payment_method="tok_void_fail_1", line2="carrier_cancel_fail_1")
    shop.has_done(saga_id, "schedule_shipment")

    assert cancel(saga_id)
    assert shop.ended(saga_id) == ["compensated"]
    start_worker(["orders"])
    workforce.wait_until_quiet()

    assert shop.ledger(saga_id)["place_order"] == "barred"
    assert not Order.objects.exists()
    assert carrier.Operation.objects.filter(kind=carrier.Kind.CANCEL).count() == 1
    assert gateway.Operation.objects.filter(kind=gateway.Kind.VOID).count() == 1


@pytest.mark.usefixtures("shared_worker")
def test_order_whose_capture_is_still_owed_can_no_longer_be_cancelled(shop):
    saga_id = shop.place(payment_method="tok_capture_fail_2")
    shop.reaches(saga_id, "pivot_done place_order")

    assert not cancel(saga_id)
    assert shop.ended(saga_id) == ["completed"]
    assert not cancel(saga_id)


@pytest.mark.usefixtures("shared_worker")
def test_deadline_that_passes_after_the_pivot_is_ignored(shop):
    saga_id = shop.place(payment_method="tok_capture_fail_2")
    shop.reaches(saga_id, "pivot_done place_order")
    SagaInstance.objects.filter(pk=saga_id).update(deadline_at=datetime.now(UTC))

    assert shop.ended(saga_id) == ["completed"]


@pytest.mark.usefixtures("shared_worker")
def test_order_is_cancelled_or_placed_whoever_is_faster(shop):
    saga_ids = [shop.place() for _ in range(20)]
    accepted = at_once([partial(cancel, saga_id) for saga_id in saga_ids])

    phases = shop.ended(*saga_ids)

    assert all(yes or phase == "completed" for yes, phase in zip(accepted, phases, strict=True))
    assert shop.available() == 1000 - phases.count("completed")
    assert Order.objects.count() == phases.count("completed")


@pytest.mark.usefixtures("shared_worker")
def test_order_whose_deadline_races_its_steps_is_undone_or_placed(shop):
    phases = shop.ended(*[shop.place(now=late()) for _ in range(10)])

    assert shop.available() == 1000 - phases.count("completed")
    assert Order.objects.count() == phases.count("completed")
