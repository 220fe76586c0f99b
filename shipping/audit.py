"""Reads the shipping service for an audit: shipments."""

import sys
from collections.abc import Mapping
from operator import attrgetter
from uuid import UUID

from orchestration.contracts.audit import ShipmentFacts, StepEffect
from orchestration.contracts.shipping import schedule_shipment
from orchestration.participant.audit import BATCH, AuditedRows, ServiceAudit
from orchestration.participant.selection import Selection
from shipping.carriers.port import BookingStatus
from shipping.carriers.sandbox.audit import books
from shipping.models import Shipment


def read_shipments(chosen: Selection) -> dict[UUID, ShipmentFacts]:
    """Return shipments, by saga."""
    booked = Shipment.objects.filter(chosen.sagas())
    rows = booked.values_list("saga_id", "order_id", "status", "tracking_number").iterator(BATCH)
    return {
        saga_id: ShipmentFacts(order_id, sys.intern(status), number, is_live=status == BookingStatus.BOOKED)
        for saga_id, order_id, status, number in rows
    }


def effect_of(shipment: ShipmentFacts) -> StepEffect:
    """Return the effect of scheduling."""
    return StepEffect.LIVE if shipment.is_live else StepEffect.REVERSED


def lacks(shipment: ShipmentFacts | None, ordered: Mapping[str, int]) -> str:
    """Return what a completed checkout lacks."""
    if shipment and shipment.is_live:
        return ""
    return f"its shipment is {shipment.status if shipment else 'missing'}"


def leftover(shipment: ShipmentFacts) -> str:
    """Return what a compensated checkout has left behind."""
    return f"its shipment is {shipment.status}" if shipment.is_live else ""


audit = ServiceAudit(
    rows=(
        AuditedRows(
            facts=ShipmentFacts,
            kind="shipment",
            action=schedule_shipment,
            read=read_shipments,
            effect=effect_of,
            order_of=attrgetter("order_id"),
            lacks=lacks,
            leftover=leftover,
        ),
    ),
    books=(books,),
)
