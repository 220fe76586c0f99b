"""The external commands of shipping. Each calls the carrier, finds earlier calls there, and records the result here."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from orchestration.contracts.codec import Malformed
from orchestration.contracts.shipping import CancelShipment, ScheduleShipment, ShipmentScheduled
from orchestration.participant.external import ExternalCommand, Keys, OutcomeUnknown
from orchestration.participant.refusals import PermanentFailure
from shipping.carriers.choice import carrier
from shipping.carriers.port import Booking, BookingStatus, CannotDeliver, NotPossible, Parcel
from shipping.models import Shipment

NOTHING_BOOKED = "nothing_booked"


class BookingLapsed(PermanentFailure):
    """The carrier no longer has this booking: cancelled there, not by us."""


@dataclass(frozen=True)
class Cancellation:
    """The result of a cancellation: the booking as it is now, or None when there never was one."""

    booking: Booking | None


@dataclass(frozen=True)
class ReportedBooking:
    """The carrier's number of the parcel."""

    tracking_number: str


@dataclass(frozen=True)
class ReportedCancellation:
    """`status` is cancelled, or nothing_booked when there never was a parcel.

    The parcel's number, unless nothing was booked or we have written it down.
    """

    status: str
    tracking_number: str = ""


class ShipmentBooking(ExternalCommand[ScheduleShipment, Booking]):
    """`schedule_shipment`: book the order's parcel with the carrier."""

    facts = ReportedBooking

    def call(self, request: ScheduleShipment, keys: Keys) -> Booking:
        return carrier().book(_parcel(request), key=keys.own)

    def find(self, request: ScheduleShipment, keys: Keys) -> Booking | None:
        booking = carrier().find(key=keys.own, reference=str(request.order_id))
        if booking and booking.status == BookingStatus.CANCELLED:
            raise BookingLapsed(f"{booking.tracking_number} is {booking.status}")
        return booking

    def reported(self, request: ScheduleShipment, facts: ReportedBooking) -> Booking:
        return Booking(facts.tracking_number, BookingStatus.BOOKED)

    def record_all(self, replied: Sequence[tuple[ScheduleShipment, Booking]]) -> list[ShipmentScheduled]:
        rows = [
            Shipment(
                saga_id=request.saga_id,
                order_id=request.order_id,
                status=Shipment.Status.BOOKED,
                tracking_number=booking.tracking_number,
            )
            for request, booking in replied
        ]
        Shipment.objects.book(rows)
        return [ShipmentScheduled(booking.tracking_number) for _, booking in replied]


class ShipmentCancellation(ExternalCommand[CancelShipment, Cancellation]):
    """`cancel_shipment`: cancel the parcel."""

    facts = ReportedCancellation

    def call(self, request: CancelShipment, keys: Keys) -> Cancellation:
        """Cancel the parcel.

        If the carrier does not know the booking, book again with the same key first. Then the earlier call, which may
        still arrive, finds its key taken and cannot send a parcel that we do not know of.
        """
        try:
            booking = self._known(request, keys) or self._booked_again(request, keys)
        except CannotDeliver:
            return Cancellation(booking=None)
        return Cancellation(cancel(booking, keys.own))

    def find(self, request: CancelShipment, keys: Keys) -> Cancellation | None:
        try:
            booking = self._known(request, keys)
        except CannotDeliver:
            return Cancellation(booking=None)
        return Cancellation(booking) if booking and booking.status == BookingStatus.CANCELLED else None

    def reported(self, request: CancelShipment, facts: ReportedCancellation) -> Cancellation:
        """Return the cancellation that the operator reports.

        :raises Malformed: when the facts make no cancellation, or not one of the parcel that we have recorded.
        """
        ours = tracking_number_of(request.saga_id)
        if facts.status == NOTHING_BOOKED:
            if ours:
                raise Malformed(f"status cannot be {NOTHING_BOOKED}: {ours} was booked")
            return Cancellation(booking=None)
        if facts.status != BookingStatus.CANCELLED:
            raise Malformed(f"status is neither {BookingStatus.CANCELLED} nor {NOTHING_BOOKED}")
        if not (facts.tracking_number or ours):
            raise Malformed("tracking_number is missing: we have written none down")
        if facts.tracking_number and ours and facts.tracking_number != ours:
            raise Malformed(f"tracking_number is {ours} in our books")
        return Cancellation(Booking(ours or facts.tracking_number, BookingStatus.CANCELLED))

    def record(self, request: CancelShipment, reply: Cancellation) -> None:
        """Record the cancellation, also of a booking never recorded. Do nothing when there never was one."""
        if reply.booking is not None:
            Shipment.objects.store_state(request.saga_id, request.order_id, reply.booking)

    def _known(self, request: CancelShipment, keys: Keys) -> Booking | None:
        """Return the booking by its number if we recorded it, else by the key of the booking."""
        if tracking_number := tracking_number_of(request.saga_id):
            return carrier().look_up(tracking_number)
        return carrier().find(key=keys.action, reference=str(request.order_id))

    def _booked_again(self, request: CancelShipment, keys: Keys) -> Booking:
        """Take the booking's key by repeating its call, and return the booking.

        :raises OutcomeUnknown: when the carrier may have forgotten the key, so that the call would not take it.
        """
        if keys.forgotten:
            raise OutcomeUnknown(OutcomeUnknown.__doc__)
        return carrier().book(_parcel(request), key=keys.action)


def cancel(booking: Booking, key: str) -> Booking:
    """Cancel the booking. Do nothing when it was cancelled already.

    :raises NotPossible: when the carrier cannot cancel it.
    """
    if booking.status == BookingStatus.CANCELLED:
        return booking
    try:
        return carrier().cancel(booking.tracking_number, key=key)
    except NotPossible:
        by_now = carrier().look_up(booking.tracking_number)  # it may have changed since it was read
        if by_now.status != BookingStatus.CANCELLED:
            raise
        return by_now


def tracking_number_of(saga_id: UUID) -> str | None:
    """Return the parcel's number as we recorded it, or None."""
    return Shipment.objects.filter(saga_id=saga_id).values_list("tracking_number", flat=True).first()


def _parcel(request: ScheduleShipment | CancelShipment) -> Parcel:
    return Parcel(reference=str(request.order_id), lines=request.lines, address=request.shipping_address)
