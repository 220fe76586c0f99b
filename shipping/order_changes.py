"""The commands of shipping that change placed orders: a parcel is handed over, or stopped and cancelled."""

from dataclasses import asdict, dataclass

from django.db.models.functions import Now

from orchestration.contracts.codec import Malformed
from orchestration.contracts.shipping import CancelParcel, HandOver, StopParcel
from orchestration.participant.external import ExternalCommand, Keys
from orchestration.participant.refusals import Refusal
from shipping.carriers.choice import carrier
from shipping.carriers.port import Booking, BookingStatus
from shipping.models import Dispatch, Shipment
from shipping.services import Cancellation, cancel, tracking_number_of


class ParcelStopped(Refusal):
    """The order's parcel was stopped, because the order is cancelled."""

    code = "parcel_stopped"


class NoParcel(Refusal):
    """No parcel was booked for this order: give the number of the parcel."""

    code = "no_parcel"


class ParcelNumberTaken(Refusal):
    """Another parcel has this number."""

    code = "parcel_number_taken"


class AlreadyHandedOver(Refusal):
    """The carrier has a parcel of this order already."""

    code = "already_handed_over"


@dataclass(frozen=True)
class ReportedParcel:
    """`status` is cancelled: the carrier has cancelled the parcel."""

    status: str


def hand_over(request: HandOver) -> None:
    """Record that the carrier has taken these units, in the booked parcel unless another number is given.

    :raises ParcelStopped: when the order's parcel was stopped.
    :raises NoParcel: when no parcel was booked and no number is given.
    :raises ParcelNumberTaken: when another parcel has the number.
    """
    shipment = _locked_shipment(request)
    if shipment and shipment.status in (Shipment.Status.STOPPED, Shipment.Status.CANCELLED):
        raise ParcelStopped
    number = request.parcel_number or (shipment.tracking_number if shipment else "")
    if not number:
        raise NoParcel
    is_booked = shipment is not None and number == shipment.tracking_number
    if not is_booked and (taken := number_taken(request)):
        raise taken
    if shipment and shipment.status == Shipment.Status.BOOKED:
        Shipment.objects.filter(pk=shipment.pk).update(status=Shipment.Status.HANDED_OVER, changed_at=Now())
    Dispatch.objects.create(
        saga_id=request.saga_id,
        checkout_id=request.checkout_id,
        order_id=request.order_id,
        tracking_number=number,
        is_booked=is_booked,
        lines=[asdict(line) for line in request.change_lines],
    )


def number_taken(request: HandOver) -> ParcelNumberTaken | None:
    """Return the refusal of the parcel's number if another parcel has it, else None."""
    number = request.parcel_number
    taken = (rows.objects.filter(tracking_number=number).exists() for rows in (Shipment, Dispatch))
    return ParcelNumberTaken(parcel_number=number) if any(taken) else None


def stop_parcel(request: StopParcel) -> None:
    """Stop the order's parcel in our own books. Do nothing when there is none, or it was stopped before.

    :raises AlreadyHandedOver: when the carrier has a parcel of the order.
    """
    shipment = _locked_shipment(request)
    if Dispatch.objects.filter(checkout_id=request.checkout_id).exists():
        raise AlreadyHandedOver
    if shipment and shipment.status == Shipment.Status.BOOKED:
        stopped = {"status": Shipment.Status.STOPPED, "stopped_by": request.saga_id, "changed_at": Now()}
        Shipment.objects.filter(pk=shipment.pk).update(**stopped)


class ParcelCancellation(ExternalCommand[CancelParcel, Cancellation]):
    """`cancel_parcel`: cancel the stopped parcel at the carrier. If it refuses, an operator must act."""

    facts = ReportedParcel

    def local_reply(self, request: CancelParcel) -> Cancellation | None:
        """Return at once when no parcel was booked."""
        return None if tracking_number_of(request.checkout_id) else Cancellation(booking=None)

    def call(self, request: CancelParcel, keys: Keys) -> Cancellation:
        return Cancellation(cancel(_booking(request), keys.own))

    def find(self, request: CancelParcel, keys: Keys) -> Cancellation | None:
        booking = _booking(request)
        return Cancellation(booking) if booking.status == BookingStatus.CANCELLED else None

    def reported(self, request: CancelParcel, facts: ReportedParcel) -> Cancellation:
        """Return the cancellation that the operator reports.

        :raises Malformed: when the status is not cancelled, or no parcel was booked.
        """
        if facts.status != BookingStatus.CANCELLED:
            raise Malformed(f"status is not {BookingStatus.CANCELLED}")
        if not (number := tracking_number_of(request.checkout_id)):
            raise Malformed("status cannot be cancelled: no parcel was booked")
        return Cancellation(Booking(number, BookingStatus.CANCELLED))

    def record(self, request: CancelParcel, reply: Cancellation) -> None:
        if reply.booking is not None:
            Shipment.objects.store_state(request.checkout_id, request.order_id, reply.booking)


def _locked_shipment(request: HandOver | StopParcel) -> Shipment | None:
    """Return the order's shipment. Its lock decides which of a cancellation and a dispatch is first."""
    return Shipment.objects.select_for_update().filter(saga_id=request.checkout_id).first()


def _booking(request: CancelParcel) -> Booking:
    """Return the booked parcel as the carrier sees it; `local_reply` has found that there is one."""
    number = tracking_number_of(request.checkout_id)
    assert number is not None
    return carrier().look_up(number)
