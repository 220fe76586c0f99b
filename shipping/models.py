"""The shipments of this service, and its ledger."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.participant.ledger import LedgerRow
from orchestration.participant.lock_tables import GuardRow
from shipping.carriers.port import BookingStatus
from shipping.rows import ShipmentWrites


class Shipment(models.Model):
    """One saga's parcel at the carrier. It equals the carrier's record when no operation is under way."""

    saga_id = models.UUIDField()
    order_id = models.UUIDField()
    status = models.TextField(choices=[(status.value, status.value) for status in BookingStatus])
    tracking_number = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    objects = ShipmentWrites()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("saga_id",), name="shipment_one_per_saga"),
            models.UniqueConstraint(fields=("tracking_number",), name="shipment_tracking_number_belongs_to_one_saga"),
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in BookingStatus]), name="shipment_status_is_known"
            ),
        )

    def __str__(self) -> str:
        return f"shipment of order {self.order_id}: {self.status}"


class Ledger(LedgerRow):
    class Meta(LedgerRow.Meta):
        pass


class Guard(GuardRow):
    """The highest fencing token that was used on a resource in this service."""

    class Meta(GuardRow.Meta):
        verbose_name = "guard"
