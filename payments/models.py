"""The payments of this service, and its ledger."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.participant.ledger import LedgerRow
from orchestration.participant.lock_tables import GuardRow, HoldRow, TurnRow
from payments.gateways.port import PaymentStatus
from payments.rows import PaymentWrites


class Payment(models.Model):
    """One saga's money at the gateway. It equals the gateway's record when no operation is under way."""

    saga_id = models.UUIDField()
    order_id = models.UUIDField()
    amount_minor = models.BigIntegerField()
    currency = models.TextField()
    status = models.TextField(choices=[(status.value, status.value) for status in PaymentStatus])
    authorisation_id = models.TextField()
    capture_id = models.TextField(null=True)
    refund_id = models.TextField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    objects = PaymentWrites()

    class Meta:
        indexes = (
            models.Index(fields=("capture_id",), name="payment_by_capture", condition=Q(capture_id__isnull=False)),
            models.Index(fields=("refund_id",), name="payment_by_refund", condition=Q(refund_id__isnull=False)),
        )
        constraints = (
            models.UniqueConstraint(fields=("saga_id",), name="payment_one_per_saga"),
            models.UniqueConstraint(fields=("authorisation_id",), name="payment_authorisation_belongs_to_one_saga"),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="payment_amount_not_negative"),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="payment_currency_is_iso_4217"),
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in PaymentStatus]), name="payment_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status__in=("captured", "refunded"), capture_id__isnull=False)
                | (~Q(status__in=("captured", "refunded")) & Q(capture_id=None)),
                name="payment_has_a_capture_iff_money_was_taken",
            ),
            models.CheckConstraint(
                condition=Q(status="refunded", refund_id__isnull=False) | (~Q(status="refunded") & Q(refund_id=None)),
                name="payment_has_a_refund_iff_given_back",
            ),
        )

    def __str__(self) -> str:
        return f"payment for order {self.order_id}: {self.status}"


class Ledger(LedgerRow):
    class Meta(LedgerRow.Meta):
        pass


class Hold(HoldRow):
    """A lock that a saga holds in this service."""

    class Meta(HoldRow.Meta):
        verbose_name = "lock"


class Turn(TurnRow):
    """A saga that waits for a lock of this service."""

    class Meta(TurnRow.Meta):
        verbose_name = "waiting saga"


class Guard(GuardRow):
    """The highest fencing token that was used on a resource in this service."""

    class Meta(GuardRow.Meta):
        verbose_name = "guard"
