"""Drift made for real: what a database restored from an old copy, or a call nobody asked for, leaves behind."""

from datetime import timedelta
from uuid import UUID

from django.db.models import F

import inventory.models
import payments.models
import shipping.models
from inventory.models import Movement, Reservation, Stock
from payments.gateways.sandbox import models as gateway
from payments.models import Payment
from shipping.carriers.sandbox import models as carrier
from shipping.models import Shipment


def hold_again(saga_id: UUID) -> None:
    """Inventory is as it was before the units were given back."""
    held = Reservation.objects.get(saga_id=saga_id)
    Reservation.objects.filter(pk=held.pk).update(released_at=None)
    Movement.objects.filter(saga_id=saga_id, kind=Movement.Kind.RELEASED).delete()
    Stock.objects.filter(pk=held.stock_id).update(reserved=held.quantity)
    as_done(inventory.models.Ledger, saga_id, "reserve_stock", "done")


def hold_money_again(saga_id: UUID) -> None:
    """Payments and the gateway are as they were before the money was let go."""
    gateway.Operation.objects.filter(kind="void").delete()
    Payment.objects.filter(saga_id=saga_id).update(status="authorised")
    as_done(payments.models.Ledger, saga_id, "authorise_payment", "started", "done")


def take_money(saga_id: UUID) -> None:
    """The gateway has captured what it was told to let go."""
    gateway.Operation.objects.filter(kind="void").update(kind="capture")


def book_again(saga_id: UUID) -> None:
    """The carrier did book the parcel that it had refused, and shipping knows nothing of it."""
    carrier.Operation.objects.filter(kind="book").update(refused=False)


def forget_to_cancel(saga_id: UUID) -> None:
    """Shipping and the carrier are as they were before the parcel was cancelled."""
    carrier.Operation.objects.filter(kind="cancel").delete()
    Shipment.objects.filter(saga_id=saga_id).update(status="booked")
    as_done(shipping.models.Ledger, saga_id, "schedule_shipment", "started", "done")


def let_an_hour_pass() -> None:
    """Everything that the ledgers remember is an hour old."""
    for ledger in (inventory.models.Ledger, payments.models.Ledger, shipping.models.Ledger):
        ledger.objects.update(changed_at=F("changed_at") - timedelta(hours=1))


def as_done(ledger: type, saga_id: UUID, step: str, *history: str) -> None:
    rows = ledger.objects.filter(saga_id=saga_id, step=step)  # type: ignore[attr-defined]
    rows.update(status=history[-1], history=list(history))
