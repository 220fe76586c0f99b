"""The sandbox carrier's records, for a comparison with ours."""

from dataclasses import dataclass
from datetime import datetime

from shipping.carriers.sandbox.books import BOOKS
from shipping.carriers.sandbox.models import Kind, Operation


@dataclass(frozen=True)
class CarriersBooking:
    """One booking and its cancellation, if any."""

    key: str
    tracking_number: str
    reference: str
    refused: bool
    cancel_key: str | None

    @property
    def is_live(self) -> bool:
        """Whether a parcel will be carried."""
        return not self.refused and self.cancel_key is None


def bookings_by_key(*, now: datetime) -> dict[str, CarriersBooking]:
    """Return every booking by its key, including the refused ones, after adding those that arrive by `now`."""
    BOOKS.let_arrive(now=now)
    rows = list(Operation.objects.order_by("created_at"))
    cancel_keys = {row.booking_id: row.key for row in rows if row.kind == Kind.CANCEL}
    return {
        row.key: CarriersBooking(row.key, row.tracking_number, row.reference, row.refused, cancel_keys.get(row.id))
        for row in rows
        if row.kind == Kind.BOOK
    }
