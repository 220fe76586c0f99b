"""What shipping does when asked: each command called at the carrier, looked for there, and recorded here."""

from dataclasses import dataclass

from django.db.models.functions import Now

from orchestration.contracts.shipping import CancelShipment, ScheduleShipment, ShipmentScheduled
from orchestration.participant.outside import Keys, OutcomeUnknown
from shipping.carriers.choice import carrier
from shipping.carriers.port import Booking, BookingStatus, CannotDeliver, Parcel
from shipping.models import Shipment


class BookingLapsed(Exception):
    """The carrier no longer has this booking: cancelled there, not by us."""


@dataclass(frozen=True)
class Cancellation:
    """How a cancellation ended: the booking as it is now, or None when there never was one."""

    booking: Booking | None


def schedule_shipment(request: ScheduleShipment, keys: Keys) -> Booking:
    """Book the order's parcel with the carrier."""
    return carrier().book(_parcel(request), key=keys.own)


def find_scheduled_shipment(request: ScheduleShipment, keys: Keys) -> Booking | None:
    """Ask the carrier what became of `schedule_shipment`."""
    booking = carrier().find(key=keys.own, reference=str(request.order_id))
    if booking and booking.status != BookingStatus.BOOKED:
        raise BookingLapsed(f"{booking.tracking_number} is {booking.status}")
    return booking


def record_scheduled_shipment(request: ScheduleShipment, booking: Booking) -> ShipmentScheduled:
    """Write down the booking."""
    Shipment.objects.create(
        saga_id=request.saga_id,
        order_id=request.order_id,
        status=booking.status,
        tracking_number=booking.tracking_number,
    )
    return ShipmentScheduled(booking.tracking_number)


def cancel_shipment(request: CancelShipment, keys: Keys) -> Cancellation:
    """Cancel the parcel.

    When the carrier does not know the booking, make that very call again: a first call that is still on its way then
    finds its key taken and cannot send a parcel behind our back.
    """
    try:
        booking = _known_booking(request, keys) or _occupy(request, keys)
    except CannotDeliver:
        return Cancellation(booking=None)
    if booking.status == BookingStatus.BOOKED:
        booking = carrier().cancel(booking.tracking_number, key=keys.own)
    return Cancellation(booking)


def find_cancelled_shipment(request: CancelShipment, keys: Keys) -> Cancellation | None:
    """Ask the carrier what became of `cancel_shipment`."""
    try:
        booking = _known_booking(request, keys)
    except CannotDeliver:
        return Cancellation(booking=None)
    return Cancellation(booking) if booking and booking.status == BookingStatus.CANCELLED else None


def record_cancelled_shipment(request: CancelShipment, cancellation: Cancellation) -> None:
    """Write down the cancellation, also of a booking never written down; nothing when there never was one."""
    if cancellation.booking is None:
        return
    Shipment.objects.update_or_create(
        saga_id=request.saga_id,
        defaults={"status": cancellation.booking.status, "changed_at": Now()},
        create_defaults={
            "order_id": request.order_id,
            "status": cancellation.booking.status,
            "tracking_number": cancellation.booking.tracking_number,
        },
    )


def _parcel(request: ScheduleShipment | CancelShipment) -> Parcel:
    return Parcel(reference=str(request.order_id), lines=request.lines, address=request.shipping_address)


def _known_booking(request: CancelShipment, keys: Keys) -> Booking | None:
    """The booking by its number if we wrote it down, else by the key it was asked for with."""
    if shipment := Shipment.objects.filter(saga_id=request.saga_id).first():
        return carrier().look_up(shipment.tracking_number)
    return carrier().find(key=keys.action, reference=str(request.order_id))


def _occupy(request: CancelShipment, keys: Keys) -> Booking:
    """:raises OutcomeUnknown: when the carrier may have forgotten the key: nothing could be occupied."""
    if keys.forgotten:
        raise OutcomeUnknown(OutcomeUnknown.__doc__)
    return carrier().book(_parcel(request), key=keys.action)
