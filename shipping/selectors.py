"""Reads of shipping."""

from collections.abc import Collection
from uuid import UUID

from orchestration.participant.search_key import Found
from shipping.models import Dispatch, Shipment


def shipments_by_saga(saga_ids: Collection[UUID] | None = None) -> dict[UUID, Shipment]:
    """Return the shipment of each of these sagas that has one, or of every saga."""
    shipments = Shipment.objects.all() if saga_ids is None else Shipment.objects.filter(saga_id__in=saga_ids)
    return {shipment.saga_id: shipment for shipment in shipments}


def found_by_tracking_number(tracking_number: str) -> Found:
    """Return the saga that booked the parcel with this tracking number, and those that handed units over in it."""
    parcels = Shipment.objects.filter(tracking_number=tracking_number).values_list("saga_id", flat=True)
    dispatches = Dispatch.objects.filter(tracking_number=tracking_number).values_list("saga_id", flat=True)
    return Found(frozenset([*parcels, *dispatches]))
