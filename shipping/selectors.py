"""Reads of shipping."""

from collections.abc import Collection
from uuid import UUID

from shipping.models import Shipment


def shipments_by_saga(saga_ids: Collection[UUID] | None = None) -> dict[UUID, Shipment]:
    """Return the shipment of each of these sagas that has one, or of every saga."""
    shipments = Shipment.objects.all() if saga_ids is None else Shipment.objects.filter(saga_id__in=saga_ids)
    return {shipment.saga_id: shipment for shipment in shipments}
