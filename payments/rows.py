"""The writes of payment rows: money held, money captured, and the gateway's current state."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models
from django.db.models import Q, TextField
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
    changed_at=Now(),
)


class PaymentNotAuthorised(Exception):
    """There is no authorised payment of this saga to record a capture on."""


class PaymentWrites(models.Manager["Payment"]):
    """`Payment.objects`."""

    def hold(self, held: Sequence["Payment"]) -> None:
        """Insert new payments with one statement."""
        insert_all(held, "payments")

    def capture(self, capture_ids: Mapping[UUID, str]) -> None:
        """Record the captures by saga, with one statement.

        :raises PaymentNotAuthorised: when one of the sagas has no authorised payment.
        """
        own = {saga_id: {"capture_id": capture_id} for saga_id, capture_id in capture_ids.items()}
        if _capture(own) != len(own):
            raise PaymentNotAuthorised(f"sagas {', '.join(map(str, capture_ids))}")

    def store_state(self, asked: "Payment", payment: GatewayPayment) -> None:
        """Update the saga's payment to the gateway's state. If there is no row yet, insert the one
        that was `asked` for.
        """
        outcome = {"status": payment.status, "capture_id": payment.capture_id, "refund_id": payment.refund_id}
        self.update_or_create(
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
