"""The tables of shipping: parcels booked, parcels handed over, and its ledger."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.participant.ledger import LedgerRow
from orchestration.participant.lock_tables import GuardRow
from shipping.rows import ShipmentWrites


class Shipment(models.Model):
    """The parcel that a checkout has booked for its order."""

    class Status(models.TextChoices):
        BOOKED = "booked"
        HANDED_OVER = "handed_over"
        """The carrier has it, or another parcel of the order: the order can no longer be cancelled."""
        STOPPED = "stopped"
        """A cancelled order's: it cannot be handed over. The carrier may not know yet."""
        CANCELLED = "cancelled"
        """The carrier has cancelled it."""

    saga_id = models.UUIDField()
    order_id = models.UUIDField()
    status = models.TextField(choices=Status.choices)
    tracking_number = models.TextField()
    stopped_by = models.UUIDField(null=True, blank=True, help_text="The change that cancels the order.")
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    objects = ShipmentWrites()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("saga_id",), name="shipment_one_per_saga"),
            models.UniqueConstraint(fields=("tracking_number",), name="shipment_tracking_number_belongs_to_one_saga"),
            models.CheckConstraint(
                condition=Q(status__in=("booked", "handed_over", "stopped", "cancelled")),
                name="shipment_status_is_known",
            ),
            models.CheckConstraint(
                condition=Q(status__in=("booked", "handed_over"), stopped_by=None)
                | Q(status="stopped", stopped_by__isnull=False)
                | Q(status="cancelled"),
                name="shipment_stopped_by_a_change",
            ),
        )

    def __str__(self) -> str:
        return f"shipment of order {self.order_id}: {self.status}"


class Dispatch(models.Model):
    """Units of an order that the carrier has taken at one time: all of a parcel, or a part of it."""

    id = models.BigAutoField(primary_key=True)
    saga_id = models.UUIDField(help_text="The change that dispatched them.")
    checkout_id = models.UUIDField(db_index=True, help_text="The saga that placed the order.")
    order_id = models.UUIDField()
    tracking_number = models.TextField()
    is_booked = models.BooleanField(help_text="Whether this is the parcel that the checkout booked.")
    lines = models.JSONField(help_text="SKUs and units.")
    handed_over_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "dispatches"
        constraints = (
            models.UniqueConstraint(fields=("saga_id",), name="dispatch_one_per_saga"),
            models.UniqueConstraint(
                fields=("tracking_number",), condition=Q(is_booked=False), name="dispatch_number_belongs_to_one_parcel"
            ),
        )
        indexes = (models.Index(fields=("tracking_number",), name="dispatch_by_tracking_number"),)

    def __str__(self) -> str:
        return f"dispatch {self.tracking_number} of order {self.order_id}"


class Ledger(LedgerRow):
    class Meta(LedgerRow.Meta):
        pass


class Guard(GuardRow):
    """The highest fencing token that was used on a resource in this service."""

    class Meta(GuardRow.Meta):
        verbose_name = "guard"
