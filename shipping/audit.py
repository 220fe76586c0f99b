"""Shipments, as the shipping service wrote them."""

import sys
from dataclasses import dataclass
from uuid import UUID

from orchestration.operators.audit.invariants.effects import Effect
from orchestration.operators.audit.read_only import BATCH
from orchestration.participant.selection import EVERYTHING, Selection
from shipping.carriers.port import BookingStatus
from shipping.models import Shipment


@dataclass(frozen=True, slots=True)
class ShipmentFacts:
    """One saga's parcel."""

    order_id: UUID
    status: str
    tracking_number: str

    @property
    def is_live(self) -> bool:
        return self.status == BookingStatus.BOOKED

    @property
    def effect(self) -> Effect:
        return Effect.LIVE if self.is_live else Effect.REVERSED


def read(chosen: Selection = EVERYTHING) -> dict[UUID, ShipmentFacts]:
    """Shipments, by saga."""
    booked = Shipment.objects.filter(chosen.sagas())
    rows = booked.values_list("saga_id", "order_id", "status", "tracking_number").iterator(BATCH)
    return {saga_id: ShipmentFacts(order_id, sys.intern(status), number) for saga_id, order_id, status, number in rows}
