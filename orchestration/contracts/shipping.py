"""What shipping is asked, and answers."""

from dataclasses import dataclass
from uuid import UUID

from orchestration.contracts.command import Action, Compensation
from orchestration.contracts.values import Address, Line


@dataclass(frozen=True)
class ScheduleShipment:
    saga_id: UUID
    order_id: UUID
    lines: tuple[Line, ...]
    shipping_address: Address


@dataclass(frozen=True)
class ShipmentScheduled:
    tracking_number: str


@dataclass(frozen=True)
class CancelShipment:
    saga_id: UUID
    order_id: UUID
    lines: tuple[Line, ...]
    shipping_address: Address


schedule_shipment = Action("shipping.schedule_shipment", request=ScheduleShipment, answer=ShipmentScheduled)
cancel_shipment = Compensation("shipping.cancel_shipment", request=CancelShipment, undoes=schedule_shipment)
