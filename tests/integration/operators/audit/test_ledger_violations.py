"""A3 and A4 seen to fail.

Much of A4 the databases themselves refuse, as the last test shows.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError
from django.db.models import Model

import inventory.models
import orders.models
import payments.models
import shipping.models
from inventory.models import Reservation
from orders.models import Order, OrderLine
from payments.gateways.sandbox import models as gateway
from payments.models import Payment
from shipping.carriers.sandbox import models as carrier
from shipping.models import Shipment
from tests.integration.operators.audit.conftest import Found

LEDGERS = (inventory.models.Ledger, payments.models.Ledger, shipping.models.Ledger, orders.models.Ledger)


@pytest.mark.parametrize("ledger", LEDGERS, ids=lambda ledger: ledger._meta.app_label)
@pytest.mark.parametrize(
    ("history", "said"),
    [
        (["barred", "done"], "the ledger row went from barred to done"),
        (["started", "barred", "done"], "the ledger row went from started to barred"),
        (["undone", "done"], "the ledger row went from nothing to undone"),
        (["started"], "the ledger row is done, its history started"),
        ([], "the ledger row is done, its history empty"),
    ],
)
def test_an_illegal_history_is_found(completed: UUID, found: Found, ledger: Any, history: list[str], said: str) -> None:
    step = ledger.objects.first().step
    ledger.objects.filter(step=step).update(history=history)
    assert f"{step}: {said}." in found("A3")


def remove_order() -> None:
    OrderLine.objects.all().delete()
    Order.objects.all().delete()


@pytest.mark.parametrize(
    ("lose", "said"),
    [
        (Reservation.objects.all().delete, "reserve_stock has no effect, and its ledger row is done."),
        (Payment.objects.all().delete, "authorise_payment has no effect, and its ledger row is done."),
        (Shipment.objects.all().delete, "schedule_shipment has no effect, and its ledger row is done."),
        (remove_order, "place_order has no effect, and its ledger row is done."),
    ],
)
def test_a_lost_effect_is_found(completed: UUID, found: Found, lose: Callable[[], Any], said: str) -> None:
    lose()
    assert said in found("A4")


@pytest.mark.parametrize("ledger", LEDGERS, ids=lambda ledger: ledger._meta.app_label)
def test_an_effect_without_a_ledger_row_is_found(completed: UUID, found: Found, ledger: Any) -> None:
    steps = set(ledger.objects.values_list("step", flat=True))
    ledger.objects.all().delete()
    assert {f"{step} has an effect, and its ledger row does not exist." for step in steps} <= set(found("A4"))


def test_an_effect_that_was_only_said_to_be_reversed_is_found(compensated: UUID, found: Found) -> None:
    Payment.objects.update(status="authorised")
    assert found("A4") == ["authorise_payment has an effect, and its ledger row is undone."]


def test_two_authorisations_for_one_order_are_found(completed: UUID, found: Found) -> None:
    copy_with_another_key(gateway.Operation.objects.get(kind="authorise"))
    assert found("A4") == ["The gateway made 2 authorisations for one order."]


def test_two_bookings_for_one_order_are_found(completed: UUID, found: Found) -> None:
    copy_with_another_key(carrier.Operation.objects.get(kind="book"))
    assert found("A4") == ["The carrier made 2 bookings for one order."]


@pytest.mark.parametrize(
    ("model", "constraint"),
    [
        (inventory.models.Ledger, "inventory_ledger_one_row_per_step"),
        (Reservation, "reservation_once_per_saga_and_sku"),
        (Payment, "payment_one_per_saga"),
        (Shipment, "shipment_one_per_saga"),
        (Order, "orders_order_saga_id_key"),
        (gateway.Operation, "gateway_captured_or_voided_once"),
    ],
)
def test_the_database_refuses_a_second_effect(completed: UUID, model: Any, constraint: str) -> None:
    rows = model.objects.filter(kind="capture") if model is gateway.Operation else model.objects.all()
    with pytest.raises(IntegrityError, match=constraint):
        copy_with_another_key(rows.get())


def test_the_database_refuses_a_second_cancellation(shop: Any, courier: Any) -> None:
    booked = carrier.Operation.objects.create(kind="book", key="key 1", fingerprint="", reference="")
    cancelled = carrier.Operation.objects.create(
        kind="cancel", key="key 2", fingerprint="", reference="", booking=booked
    )
    with pytest.raises(IntegrityError, match="carrier_cancelled_once"):
        copy_with_another_key(cancelled)


def copy_with_another_key(row: Model) -> None:
    """Insert the row once more, with another primary key, and another idempotency key where it has one."""
    row.pk = uuid4() if hasattr(row.pk, "hex") else None
    if hasattr(row, "key"):
        row.key = f"{uuid4()}:authorise_payment:action"
    row._state.adding = True
    row.save(force_insert=True)
