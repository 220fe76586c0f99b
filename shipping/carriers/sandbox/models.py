"""The sandbox carrier's records, in its own database."""

from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.participant.sandbox.books import CallCount


class Kind(models.TextChoices):
    BOOK = "book"
    CANCEL = "cancel"


class Operation(models.Model):
    """One operation that was done, or refused for good, under one key. Append-only: the rows are
    the state of a booking.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    kind = models.TextField(choices=Kind.choices)
    key = models.TextField()
    fingerprint = models.TextField()
    """SHA-256 of the request: the same key with another fingerprint is an error."""
    booking = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="followers")
    reference = models.TextField()
    refused = models.BooleanField(default=False)
    test_token = models.TextField(default="")
    """The token that later calls for the booking must obey. Empty if it has no effect on them."""
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("key",), name="carrier_key_used_once"),
            models.UniqueConstraint(fields=("booking",), condition=Q(kind=Kind.CANCEL), name="carrier_cancelled_once"),
            models.CheckConstraint(
                condition=Q(kind=Kind.BOOK, booking=None) | Q(kind=Kind.CANCEL, booking__isnull=False),
                name="carrier_only_a_booking_stands_alone",
            ),
            models.CheckConstraint(
                condition=Q(refused=False) | Q(kind=Kind.BOOK), name="carrier_only_bookings_are_refused"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.tracking_number}"

    @property
    def tracking_number(self) -> str:
        """The number that clients see: for a cancellation, that of its booking."""
        return f"SB{(self.booking_id or self.id).hex.upper()}"


class LateArrival(models.Model):
    """A booking that has not arrived yet. The carrier does not know of it before `arrives_at`."""

    key = models.TextField()
    fingerprint = models.TextField()
    reference = models.TextField()
    arrives_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.key} at {self.arrives_at}"


class Call(CallCount):
    pass
