"""The core of the sandbox carrier: what it does with parcels, with the checks of a real carrier."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from orchestration.participant.sandbox.books import SandboxBooks, fingerprint_of
from shipping.carriers.port import Booking, BookingStatus, CannotDeliver, KeyReused, NotPossible, Parcel
from shipping.carriers.sandbox.behaviour import TOKENS, Trait
from shipping.carriers.sandbox.models import Call, Kind, LateArrival, Operation

DATABASE = "carrier"
BOOKS = SandboxBooks(DATABASE, Operation, LateArrival, arrives_as=Kind.BOOK, call=Call, key_reused=KeyReused)


def booking_asked(parcel: Parcel, *, key: str) -> Operation:
    """Return the requested operation, unsaved."""
    return Operation(kind=Kind.BOOK, key=key, fingerprint=fingerprint_of(parcel), reference=parcel.reference)


def book(asked: Operation) -> Booking:
    """Book the parcel, or refuse it. It takes one statement when the key is new."""
    return _first_answer(_written(asked))


def cancel(booking: Operation, *, key: str) -> Booking:
    """Cancel a booking that is not cancelled yet, and whose parcel was not collected."""
    if _is_collected(booking):
        raise NotPossible(f"{booking.tracking_number} was collected")
    asked = Operation(
        kind=Kind.CANCEL,
        key=key,
        fingerprint=fingerprint_of(Kind.CANCEL, booking.tracking_number),
        booking=booking,
        reference=booking.reference,
    )
    return _first_answer(_written(asked))


def find(*, key: str, reference: str) -> Booking | None:
    """Read the booking made under `key`, or return None.

    :raises CannotDeliver: when it was refused.
    """
    return _state(Operation.objects.filter(Q(key=key, kind=Kind.BOOK) | Q(booking__key=key), reference=reference))


def booking_of(tracking_number: str) -> Booking:
    """Read a booking by its tracking number."""
    row_id = _row_id(tracking_number)
    booking = _state(Operation.objects.filter(Q(id=row_id) | Q(booking=row_id)))
    if booking is None:
        raise NotPossible(f"there is no booking {tracking_number}")
    return booking


def booked(tracking_number: str) -> Operation:
    """Fetch the row that a cancellation of `tracking_number` follows."""
    row = Operation.objects.filter(id=_row_id(tracking_number), kind=Kind.BOOK, refused=False).first()
    if row is None:
        raise NotPossible(f"there is no booking {tracking_number}")
    return row


def _row_id(tracking_number: str) -> UUID:
    try:
        return UUID(tracking_number.removeprefix("SB"))
    except ValueError:
        raise NotPossible(f"there is no booking {tracking_number}") from None


def _written(asked: Operation) -> Operation:
    """Insert the row, or return the existing row with its key."""
    row = BOOKS.write(asked)
    if row is None:
        raise NotPossible(f"{asked.tracking_number} is cancelled already")
    return row


def _first_answer(row: Operation) -> Booking:
    """Return the operation's first answer, which every repetition gets."""
    if row.refused:
        raise CannotDeliver
    if row.kind == Kind.CANCEL:
        return Booking(row.tracking_number, BookingStatus.CANCELLED)
    return Booking(row.tracking_number, BookingStatus.BOOKED)


def _state(rows: Iterable[Operation]) -> Booking | None:
    of_kind = {row.kind: row for row in rows}
    last = of_kind.get(Kind.CANCEL) or of_kind.get(Kind.BOOK)
    if last is None:
        return None
    return Booking(last.tracking_number, BookingStatus.COLLECTED) if _is_collected(last) else _first_answer(last)


def _is_collected(booking: Operation) -> bool:
    behaviour = TOKENS.read(booking.test_token)
    return behaviour is not None and behaviour.trait is Trait.COLLECTED
