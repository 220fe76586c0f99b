"""The payments of this service, the refunds of them, and its ledger."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from orchestration.participant.ledger import LedgerRow
from orchestration.participant.lock_tables import GuardRow, HoldRow, TurnRow
from payments.credit_models import CreditPayment, Wallet, WalletMovement
from payments.gateways.port import PaymentStatus
from payments.rows import PaymentWrites

__all__ = ("CreditPayment", "Wallet", "WalletMovement")  # Django finds models here


class Payment(models.Model):
    """One saga's money at the gateway. It equals the gateway's record when no operation is under way."""

    saga_id = models.UUIDField()
    order_id = models.UUIDField()
    amount_minor = models.BigIntegerField()
    """The amount that was put on hold."""
    captured_minor = models.BigIntegerField(db_default=0)
    refunded_minor = models.BigIntegerField(db_default=0)
    """The amount given back or being given back: the sum of all refunds that have not failed."""
    currency = models.TextField()
    status = models.TextField(choices=[(status.value, status.value) for status in PaymentStatus])
    authorisation_id = models.TextField()
    capture_id = models.TextField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    objects = PaymentWrites()

    class Meta:
        indexes = (
            models.Index(fields=("capture_id",), name="payment_by_capture", condition=Q(capture_id__isnull=False)),
        )
        constraints = (
            models.UniqueConstraint(fields=("saga_id",), name="payment_one_per_saga"),
            models.UniqueConstraint(fields=("authorisation_id",), name="payment_authorisation_belongs_to_one_saga"),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="payment_amount_not_negative"),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="payment_currency_is_iso_4217"),
            models.CheckConstraint(
                condition=Q(captured_minor__gte=0, captured_minor__lte=F("amount_minor")),
                name="payment_captures_what_was_held",
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("captured_minor")),
                name="payment_not_over_refunded",
            ),
            models.CheckConstraint(
                condition=Q(status__in=("authorised", "voided"), capture_id=None, captured_minor=0)
                | Q(status="captured", capture_id__isnull=False, refunded_minor__lt=F("captured_minor"))
                | Q(status="refunded", capture_id__isnull=False, refunded_minor=F("captured_minor"))
                | Q(status="captured", capture_id__isnull=False, captured_minor=0),
                name="payment_status_follows_from_the_amounts",
            ),
        )

    def __str__(self) -> str:
        return f"payment for order {self.order_id}: {self.status}"


class Destination(models.TextChoices):
    CARD = "card"
    CREDIT = "credit"
    """The customer's store credit."""


class RefundState(models.TextChoices):
    REQUESTED = "requested"
    """The amount is set aside. The gateway may have been called."""
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The money came back, possibly long after the refund had succeeded. The amount is no longer set aside."""


class Origin(models.TextChoices):
    OURS = "ours"
    GATEWAY = "gateway"
    """A person made it at the gateway, under no key of ours."""


class Refund(models.Model):
    """A part of an order's money that is given back, by one step of one saga. An amount of zero moves no money.

    `payment` is None for what store credit had paid.
    """

    saga_id = models.UUIDField()
    step = models.TextField()
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds", null=True)
    destination = models.TextField(choices=Destination.choices)
    amount_minor = models.BigIntegerField()
    status = models.TextField(choices=RefundState.choices)
    gateway_id = models.TextField(null=True)
    origin = models.TextField(choices=Origin.choices, default=Origin.OURS)
    reason = models.TextField(default="")
    requested_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)
    """The moment at which to read it at the gateway again. None: its state is final."""

    class Meta:
        indexes = (
            models.Index(fields=("saga_id",), name="refund_by_saga"),
            models.Index(fields=("read_at",), name="refund_to_read", condition=Q(read_at__isnull=False)),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("saga_id", "step", "payment"), condition=Q(origin="ours"), name="refund_one_per_step"
            ),
            models.UniqueConstraint(
                fields=("saga_id", "step"), condition=Q(payment=None), name="refund_one_of_credit_per_step"
            ),
            models.CheckConstraint(
                condition=Q(payment__isnull=False) | Q(destination="credit"), name="refund_to_card_has_a_payment"
            ),
            models.UniqueConstraint(fields=("gateway_id",), name="refund_belongs_to_one_call"),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="refund_amount_not_negative"),
            models.CheckConstraint(condition=Q(destination__in=Destination.values), name="refund_destination_is_known"),
            models.CheckConstraint(condition=Q(status__in=RefundState.values), name="refund_status_is_known"),
            models.CheckConstraint(condition=Q(origin__in=Origin.values), name="refund_origin_is_known"),
        )

    def __str__(self) -> str:
        return f"refund of {self.amount_minor} by saga {self.saga_id}: {self.status}"


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
