"""The sandbox gateway's records, in its own database."""

from datetime import datetime
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.participant.sandbox.books import CallCount
from payments.gateways.port import RefundStatus


class Kind(models.TextChoices):
    AUTHORISE = "authorise"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class Operation(models.Model):
    """One operation that was done, or declined for good, under one key. Append-only: the rows are
    the state of a payment.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    kind = models.TextField(choices=Kind.choices)
    key = models.TextField()
    fingerprint = models.TextField()
    """SHA-256 of the request: the same key with another fingerprint is an error."""
    authorisation = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="followers")
    reference = models.TextField()
    amount_minor = models.BigIntegerField()
    currency = models.TextField()
    decline_code = models.TextField(default="")
    test_token = models.TextField(default="")
    """The token that later operations on this payment must obey. Empty if it has no effect on them."""
    pending_until = models.DateTimeField(null=True)
    """The moment until which this refund is pending. None: it is not."""
    fails_at = models.DateTimeField(null=True)
    """The moment at which this refund fails, and its money is back here. None: it does not."""
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("key",), name="gateway_key_used_once"),
            models.UniqueConstraint(
                fields=("authorisation",),
                condition=Q(kind__in=(Kind.CAPTURE, Kind.VOID)),
                name="gateway_captured_or_voided_once",
            ),
            models.CheckConstraint(
                condition=Q(kind=Kind.AUTHORISE, authorisation=None)
                | (Q(authorisation__isnull=False) & ~Q(kind=Kind.AUTHORISE)),
                name="gateway_only_an_authorisation_stands_alone",
            ),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="gateway_kind_is_known"),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="gateway_amount_not_negative"),
            models.CheckConstraint(
                condition=Q(decline_code="") | Q(kind=Kind.AUTHORISE), name="gateway_only_authorisations_decline"
            ),
            models.CheckConstraint(
                condition=Q(pending_until=None, fails_at=None) | Q(kind=Kind.REFUND),
                name="gateway_only_refunds_are_pending_or_fail",
            ),
        )

    def __str__(self) -> str:
        return f"{self.public_id}: {self.amount_minor} {self.currency}"

    @property
    def public_id(self) -> str:
        """The id that clients see."""
        return f"{self.kind}_{self.id.hex}"

    def refund_status(self, now: datetime) -> RefundStatus:
        """Return the state of this refund at this moment."""
        if self.fails_at and self.fails_at <= now:
            return RefundStatus.FAILED
        return RefundStatus.PENDING if self.pending_until and self.pending_until > now else RefundStatus.SUCCEEDED

    @property
    def payment_id(self) -> str:
        """The public id of the authorisation that this operation belongs to."""
        return f"{Kind.AUTHORISE}_{(self.authorisation_id or self.id).hex}"


class LateArrival(models.Model):
    """An authorisation that has not arrived yet. The gateway does not know of it before `arrives_at`."""

    key = models.TextField()
    fingerprint = models.TextField()
    reference = models.TextField()
    amount_minor = models.BigIntegerField()
    currency = models.TextField()
    arrives_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.key} at {self.arrives_at}"


class Call(CallCount):
    pass
