"""Reads the shipping service for an audit: shipments and dispatches."""

import sys
from collections.abc import Mapping
from operator import attrgetter
from uuid import UUID

from orchestration.contracts.audit import DispatchFacts, ShipmentFacts, StepEffect
from orchestration.contracts.shipping import hand_over, schedule_shipment
from orchestration.participant.audit import BATCH, AuditedRows, ServiceAudit
from orchestration.participant.selection import Selection
from shipping.carriers.sandbox.audit import books
from shipping.models import Dispatch, Shipment

LIVE = (Shipment.Status.BOOKED, Shipment.Status.HANDED_OVER)


def read_shipments(chosen: Selection) -> dict[UUID, ShipmentFacts]:
    """Return shipments, by saga."""
    booked = Shipment.objects.filter(chosen.sagas())
    rows = booked.values_list("saga_id", "order_id", "status", "tracking_number", "stopped_by").iterator(BATCH)
    return {
        saga_id: ShipmentFacts(order_id, sys.intern(status), number, status in LIVE, stopped_by)
        for saga_id, order_id, status, number, stopped_by in rows
    }


def read_dispatches(chosen: Selection) -> dict[UUID, DispatchFacts]:
    """Return dispatches, by the saga that dispatched."""
    rows = Dispatch.objects.filter(chosen.sagas()).values_list("saga_id", "order_id").iterator(BATCH)
    return {saga_id: DispatchFacts(order_id) for saga_id, order_id in rows}


def effect_of(shipment: ShipmentFacts) -> StepEffect:
    """Return the effect of scheduling. A parcel that a change has stopped was not compensated."""
    return StepEffect.LIVE if shipment.is_live or shipment.stopped_by else StepEffect.REVERSED


def lacks(shipment: ShipmentFacts | None, ordered: Mapping[str, int]) -> str:
    """Return what a completed checkout lacks."""
    if shipment and (shipment.is_live or shipment.stopped_by):
        return ""
    return f"its shipment is {shipment.status if shipment else 'missing'}"


def leftover(shipment: ShipmentFacts) -> str:
    """Return what a compensated checkout has left behind."""
    return f"its shipment is {shipment.status}" if shipment.is_live else ""


def disagrees(shipment: ShipmentFacts, cancelled: bool) -> str:
    """Return how the shipment disagrees with its order, which is cancelled or not."""
    agrees = shipment.status == Shipment.Status.CANCELLED if cancelled else shipment.stopped_by is None
    return "" if agrees else f"its shipment is {shipment.status}"


def changes_of(shipment: ShipmentFacts) -> tuple[UUID, ...]:
    """Return the change that stopped the parcel, if one did."""
    return (shipment.stopped_by,) if shipment.stopped_by else ()


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
            changes=changes_of,
            disagrees=disagrees,
        ),
        AuditedRows(
            facts=DispatchFacts,
            kind="dispatch",
            action=hand_over,
            read=read_dispatches,
            effect=lambda _: StepEffect.LIVE,
            order_of=attrgetter("order_id"),
        ),
    ),
    books=(books,),
)
