"""A6 seen to fail."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db.models import F

import inventory.models
import orders.models
import payments.models
import shipping.models
from orchestration.models import SagaLogEntry
from tests.integration.operators.audit.conftest import Found


def test_a_compensation_after_the_pivot_is_found(completed: UUID, found: Found) -> None:
    shipping.models.Ledger.objects.update(status="undone", history=["started", "done", "undone"])
    assert found("A6") == ["schedule_shipment is undone although place_order is done."]


def test_a_step_that_was_never_compensated_is_found(compensated: UUID, found: Found) -> None:
    payments.models.Ledger.objects.update(status="started", history=["started"])
    assert found("A6") == ["authorise_payment is started although the saga is compensated."]


def test_a_step_that_was_not_even_barred_is_found(compensated: UUID, found: Found) -> None:
    inventory.models.Ledger.objects.all().delete()
    assert found("A6") == ["reserve_stock is not even barred although the saga is compensated."]


def test_giving_up_without_a_bar_or_a_refusal_is_found(compensated: UUID, found: Found) -> None:
    shipping.models.Ledger.objects.update(status="barred", history=["barred"])
    assert "The saga is compensated, nothing refused and place_order not barred." in found("A6")
    pivot = {"saga_id": compensated, "step": "place_order", "status": "barred", "history": ["barred"], "token": 2}
    orders.models.Ledger.objects.create(**pivot)
    assert "The saga is compensated, nothing refused and place_order not barred." not in found("A6")


def test_the_wrong_order_in_the_log_is_found(compensated: UUID, found: Found) -> None:
    swap_undone_entries()
    assert found("A6") == ["Steps were compensated in the order reserve_stock, authorise_payment."]


def test_the_wrong_order_in_the_ledgers_is_found(compensated: UUID, found: Found) -> None:
    payments.models.Ledger.objects.update(changed_at=F("changed_at") + timedelta(minutes=1))
    [message] = found("A6")
    assert message.startswith("reserve_stock was compensated at ")


def test_a_compensation_that_once_failed_may_come_late(compensated: UUID, found: Found) -> None:
    swap_undone_entries()
    sent = SagaLogEntry.objects.filter(phase="compensating", kind="sent")
    sent.update(kind="failed", step="authorise_payment")
    assert found("A6") == []


def swap_undone_entries() -> None:
    entries: Iterable[SagaLogEntry] = SagaLogEntry.objects.filter(kind="undone")
    swapped = {"reserve_stock": "authorise_payment", "authorise_payment": "reserve_stock"}
    for entry in entries:
        entry.step = swapped[entry.step]
        entry.save(using="orchestration")
