"""Requests to shipping, its answers and commands."""

from dataclasses import dataclass
from uuid import UUID

from orchestration.contracts.command import Action, Compensation
from orchestration.contracts.order_changes import ORDER
from orchestration.contracts.values import Address, Line, SkuQuantity


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


@dataclass(frozen=True)
class CancelLeftoverParcel:
    """Cancel the parcel that the compensated saga `repaired_saga_id` has booked for its order."""

    saga_id: UUID
    repaired_saga_id: UUID
    repaired_order_id: UUID


@dataclass(frozen=True)
class LeftoverParcelCancelled:
    """`booking_status` is the current status, cancelled; None when there never was a parcel."""

    booking_status: str | None


schedule_shipment = Action(
    "shipping.schedule_shipment", request=ScheduleShipment, answer=ShipmentScheduled, external=True
)
cancel_shipment = Compensation("shipping.cancel_shipment", request=CancelShipment, undoes=schedule_shipment)
cancel_leftover_parcel = Action(
    "shipping.cancel_leftover_parcel", request=CancelLeftoverParcel, answer=LeftoverParcelCancelled
)


@dataclass(frozen=True)
class HandOver:
    """The carrier has taken a parcel with these units.

    It is the parcel that the saga `checkout_id` has booked, or another one of the order when `parcel_number` is given.
    """

    saga_id: UUID
    order_id: UUID
    order_fence: int
    checkout_id: UUID
    change_lines: tuple[SkuQuantity, ...]
    parcel_number: str = ""


@dataclass(frozen=True)
class StopParcel:
    """Stop the order's parcel in our own books: from now on it cannot be handed over."""

    saga_id: UUID
    order_id: UUID
    order_fence: int
    checkout_id: UUID


@dataclass(frozen=True)
class CancelParcel:
    """Cancel the stopped parcel at the carrier, if one was booked."""

    saga_id: UUID
    order_id: UUID
    order_fence: int
    checkout_id: UUID


hand_over = Action("shipping.hand_over", request=HandOver, under=ORDER)
stop_parcel = Action("shipping.stop_parcel", request=StopParcel, under=ORDER)
cancel_parcel = Action("shipping.cancel_parcel", request=CancelParcel, under=ORDER)
