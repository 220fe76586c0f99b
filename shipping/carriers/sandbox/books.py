"""The inside of the sandbox carrier: its operations, each guarded as a real carrier guards it."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from shipping.carriers.port import Booking, BookingStatus, CannotDeliver, KeyReused, NotPossible, Parcel
from shipping.carriers.sandbox.models import Call, Kind, LateArrival, Operation

DATABASE = "carrier"


def book(parcel: Parcel, *, key: str, refused: bool = False, test_token: str = "") -> Booking:
    """Book the parcel, or refuse it; one statement when the key is new."""
    asked = Operation(
        kind=Kind.BOOK,
        key=key,
        fingerprint=fingerprint_of(parcel),
        reference=parcel.reference,
        refused=refused,
        test_token=test_token,
    )
    return _first_answer(_insert(asked))


def cancel(booking: Operation, *, key: str) -> Booking:
    """Cancel a booking that is not cancelled yet."""
    asked = Operation(
        kind=Kind.CANCEL,
        key=key,
        fingerprint=fingerprint_of(Kind.CANCEL, booking.tracking_number),
        booking=booking,
        reference=booking.reference,
    )
    return _first_answer(_insert(asked))


def find(*, key: str, reference: str) -> Booking | None:
    """Read the booking made under `key`, or None; raises what it was refused with."""
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


def fingerprint_of(*asked: object) -> str:
    """Digest what was asked, so that a key cannot be used for something else."""
    return hashlib.sha256(json.dumps(asked, default=vars).encode()).hexdigest()


def count_call(key: str) -> int:
    """Count a call under `key`; return how many there were with this one."""
    with transaction.atomic(using=DATABASE):
        Call.objects.bulk_create([Call(key=key)], ignore_conflicts=True)
        Call.objects.filter(key=key).update(calls=F("calls") + 1)
        return Call.objects.get(key=key).calls


def expect_arrival(parcel: Parcel, *, key: str, arrives_at: datetime) -> None:
    """Leave a booking on its way, unknown here until `arrives_at`."""
    LateArrival.objects.create(
        key=key, fingerprint=fingerprint_of(parcel), reference=parcel.reference, arrives_at=arrives_at
    )


def let_arrive(*, now: datetime, key: str | None = None) -> None:
    """Book what has arrived by `now`, of one key or of all; what finds its key taken is void."""
    due = LateArrival.objects.filter(arrives_at__lte=now)
    for late in due if key is None else due.filter(key=key):
        arrived = Operation(
            kind=Kind.BOOK,
            key=late.key,
            fingerprint=late.fingerprint,
            reference=late.reference,
        )
        with transaction.atomic(using=DATABASE):
            Operation.objects.bulk_create([arrived], ignore_conflicts=True)
            late.delete()


def _row_id(tracking_number: str) -> UUID:
    try:
        return UUID(tracking_number.removeprefix("SB"))
    except ValueError:
        raise NotPossible(f"there is no booking {tracking_number}") from None


def _insert(asked: Operation) -> Operation:
    """Write the row, or return the one that took its key."""
    try:
        asked.save(force_insert=True)
    except IntegrityError:
        earlier = Operation.objects.filter(key=asked.key).first()
        if earlier is None:
            raise NotPossible(f"{asked.tracking_number} is cancelled already") from None
        if earlier.fingerprint != asked.fingerprint:
            raise KeyReused(asked.key) from None
        return earlier
    return asked


def _first_answer(row: Operation) -> Booking:
    """What the operation answered when it was done, again for every repetition."""
    if row.refused:
        raise CannotDeliver
    if row.kind == Kind.CANCEL:
        return Booking(row.tracking_number, BookingStatus.CANCELLED)
    return Booking(row.tracking_number, BookingStatus.BOOKED)


def _state(rows: Iterable[Operation]) -> Booking | None:
    of_kind = {row.kind: row for row in rows}
    last = of_kind.get(Kind.CANCEL) or of_kind.get(Kind.BOOK)
    return _first_answer(last) if last else None
