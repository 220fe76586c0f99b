"""The writes of shipment rows: parcels booked, and the carrier's current state."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models
from django.db.models.functions import Now

from orchestration.db.sql import insert_all
from shipping.carriers.port import Booking

if TYPE_CHECKING:
    from shipping.models import Shipment


class ShipmentWrites(models.Manager["Shipment"]):
    """`Shipment.objects`."""

    def book(self, booked: Sequence["Shipment"]) -> None:
        """Insert new shipments with one statement."""
        insert_all(booked, "shipping")

    def store_state(self, saga_id: UUID, order_id: UUID, booking: Booking) -> None:
        """Update the saga's shipment to the carrier's state. If there is no row yet, insert it."""
        self.update_or_create(
            saga_id=saga_id,
            defaults={"status": booking.status, "changed_at": Now()},
            create_defaults={
                "order_id": order_id,
                "status": booking.status,
                "tracking_number": booking.tracking_number,
            },
        )
