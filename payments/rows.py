"""The writes of payment rows: money held, captured and given back, and the gateway's current state."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models
from django.db.models import BigIntegerField, Case, F, Q, TextField, Value, When
from django.db.models.functions import Now

from orchestration.db.bulk_update import UpdateEach, each_own
from orchestration.db.sql import insert_all
from payments.gateways.port import GatewayPayment, PaymentStatus

if TYPE_CHECKING:
    from payments.models import Payment

_capture = UpdateEach(
    "payments.Payment",
    by="saga_id",
    where=Q(status=PaymentStatus.AUTHORISED),
    status=PaymentStatus.CAPTURED,
    capture_id=each_own("capture_id", by="saga_id", kind=TextField()),
    captured_minor=each_own("captured_minor", by="saga_id", kind=BigIntegerField()),
    changed_at=Now(),
)


class PaymentNotAuthorised(Exception):
    """There is no authorised payment of this saga to record a capture on."""


class PaymentWrites(models.Manager["Payment"]):
    """`Payment.objects`."""

    def hold(self, held: Sequence["Payment"]) -> None:
        """Insert new payments with one statement."""
        insert_all(held, "payments")

    def capture(self, captured: Mapping[UUID, GatewayPayment]) -> None:
        """Record the captures by saga, with one statement.

        :raises PaymentNotAuthorised: when one of the sagas has no authorised payment.
        """
        own = {
            saga_id: {"capture_id": payment.capture_id or "", "captured_minor": payment.captured_minor}
            for saga_id, payment in captured.items()
        }
        if _capture(own) != len(own):
            raise PaymentNotAuthorised(f"sagas {', '.join(map(str, captured))}")

    def give_back(self, payment_id: int, amount_minor: int) -> None:
        """Add to what the payment has given back; a negative amount is taken off again. The status follows.

        The database refuses more than was captured (`payment_not_over_refunded`).
        """
        given_back = F("refunded_minor") + amount_minor
        all_of_it = When(captured_minor=given_back, then=Value(PaymentStatus.REFUNDED.value))
        status = Case(all_of_it, default=Value(PaymentStatus.CAPTURED.value))
        self.filter(pk=payment_id).update(refunded_minor=given_back, status=status, changed_at=Now())

    def store_state(self, asked: "Payment", payment: GatewayPayment) -> "Payment":
        """Update the saga's payment to the gateway's state. If there is no row yet, insert the one
        that was `asked` for.
        """
        outcome = {
            "status": payment.status,
            "capture_id": payment.capture_id,
            "captured_minor": payment.captured_minor,
            "refunded_minor": payment.refunded_minor,
        }
        stored, _ = self.update_or_create(
            saga_id=asked.saga_id,
            defaults={**outcome, "changed_at": Now()},
            create_defaults={
                **outcome,
                "order_id": asked.order_id,
                "amount_minor": asked.amount_minor,
                "currency": asked.currency,
                "authorisation_id": payment.authorisation_id,
            },
        )
        return stored
