"""The commands of shipping that repair what an audit has found."""

from orchestration.contracts.shipping import CancelLeftoverParcel, LeftoverParcelCancelled, schedule_shipment
from orchestration.participant.external import ExternalCommand, Keys, key_of
from orchestration.participant.repair_marks import mark_reversed
from shipping.carriers.choice import carrier
from shipping.carriers.port import Booking, BookingStatus, CannotDeliver
from shipping.models import Ledger, Shipment
from shipping.services import Cancellation, cancel, tracking_number_of


class LeftoverParcelCancellation(ExternalCommand[CancelLeftoverParcel, Cancellation]):
    """`cancel_leftover_parcel`: cancel what the carrier still has of the repaired saga, if anything."""

    def call(self, request: CancelLeftoverParcel, keys: Keys) -> Cancellation:
        booking = _leftover(request)
        return Cancellation(booking and cancel(booking, keys.own))

    def find(self, request: CancelLeftoverParcel, keys: Keys) -> Cancellation | None:
        booking = _leftover(request)
        return Cancellation(booking) if booking and booking.status == BookingStatus.CANCELLED else None

    def record(self, request: CancelLeftoverParcel, reply: Cancellation) -> LeftoverParcelCancelled:
        """Record the cancellation on the repaired saga's shipment, and mark its ledger row as reversed."""
        mark_reversed(Ledger, request.repaired_saga_id, schedule_shipment)
        if reply.booking is None:
            return LeftoverParcelCancelled(None)
        Shipment.objects.store_state(request.repaired_saga_id, request.repaired_order_id, reply.booking)
        return LeftoverParcelCancelled(reply.booking.status)


def _leftover(request: CancelLeftoverParcel) -> Booking | None:
    """Return the booking by its number if we recorded it, else by the key that the repaired saga used."""
    if tracking_number := tracking_number_of(request.repaired_saga_id):
        return carrier().look_up(tracking_number)
    key = key_of(request.repaired_saga_id, schedule_shipment)
    try:
        return carrier().find(key=key, reference=str(request.repaired_order_id))
    except CannotDeliver:
        return None
