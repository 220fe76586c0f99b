"""What shipping does to put right what an audit has found."""

from orchestration.contracts.shipping import CancelLeftoverParcel, LeftoverParcelCancelled, schedule_shipment
from orchestration.participant.external import Keys, key_of
from orchestration.participant.repair_marks import mark_reversed
from shipping.carriers.choice import carrier
from shipping.carriers.port import Booking, BookingStatus, CannotDeliver
from shipping.models import Ledger
from shipping.services import Cancellation, cancel, tracking_number_of, write_down


def cancel_leftover_parcel(request: CancelLeftoverParcel, keys: Keys) -> Cancellation:
    """Cancel what the carrier still has of the repaired saga; nothing when it has nothing any more."""
    booking = _leftover(request)
    return Cancellation(booking and cancel(booking, keys.own))


def find_cancelled_leftover_parcel(request: CancelLeftoverParcel, keys: Keys) -> Cancellation | None:
    """Ask the carrier what became of `cancel_leftover_parcel`."""
    booking = _leftover(request)
    return Cancellation(booking) if booking and booking.status == BookingStatus.CANCELLED else None


def record_cancelled_leftover_parcel(
    request: CancelLeftoverParcel, cancellation: Cancellation
) -> LeftoverParcelCancelled:
    """Write down the cancellation where the repaired saga's shipment stands, and have its ledger row say so."""
    mark_reversed(Ledger, request.repaired_saga_id, schedule_shipment)
    if cancellation.booking is None:
        return LeftoverParcelCancelled(None)
    write_down(request.repaired_saga_id, request.repaired_order_id, cancellation.booking)
    return LeftoverParcelCancelled(cancellation.booking.status)


def _leftover(request: CancelLeftoverParcel) -> Booking | None:
    """The booking by its number if we wrote it down, else by the key that the repaired saga asked for it with."""
    if tracking_number := tracking_number_of(request.repaired_saga_id):
        return carrier().look_up(tracking_number)
    key = key_of(request.repaired_saga_id, schedule_shipment)
    try:
        return carrier().find(key=key, reference=str(request.repaired_order_id))
    except CannotDeliver:
        return None
