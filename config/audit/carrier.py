"""The sandbox carrier's own books (A4), read apart from what shipping believes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.db.models.functions import Coalesce

from config.audit import keys
from config.audit.findings import Findings
from config.audit.snapshots import BATCH
from shipping.carriers.sandbox.models import Kind, LateArrival, Operation


@dataclass(frozen=True, slots=True)
class Parcel:
    """One booking and what became of it; without a tracking number while the carrier will only hear of it."""

    tracking_number: str
    keys: tuple[str, ...]
    """Every key used on it, the booking's own first."""
    reference: str
    refused: bool = False
    cancelled: bool = False

    @property
    def is_live(self) -> bool:
        """Whether it will be carried."""
        return not (self.refused or self.cancelled)


Parcels = Mapping[UUID | None, list[Parcel]]
"""By the saga that the booking's key names; None: by none."""


def read() -> Parcels:
    """Every booking, also those refused and those still on their way."""
    found: dict[UUID | None, list[Parcel]] = defaultdict(list)
    for parcel in (*_arrived(), *_on_their_way()):
        found[keys.saga_of(parcel.keys[0])].append(parcel)
    return dict(found)


def parcel_of(operations: Iterable[Operation]) -> Parcel:
    """One booking, from the operations on it."""
    booked, *cancelled = sorted(operations, key=lambda operation: operation.kind != Kind.BOOK)
    return Parcel(
        tracking_number=booked.tracking_number,
        keys=(booked.key, *(row.key for row in cancelled)),
        reference=booked.reference,
        refused=booked.refused,
        cancelled=bool(cancelled),
    )


def check(parcels: Parcels, findings: Findings) -> None:
    """A4, inside the carrier's books: one booking an order."""
    booked = Counter(parcel.reference for of_saga in parcels.values() for parcel in of_saga if not parcel.refused)
    for reference, count in booked.items():
        findings.look_at("A4")
        if count > 1:
            findings.violated("A4", f"The carrier made {count} bookings for one order.", order=reference)


def _arrived() -> Iterable[Parcel]:
    rows = Operation.objects.annotate(parcel=Coalesce("booking_id", "id")).order_by("parcel")
    for _, operations in groupby(rows.iterator(BATCH), key=attrgetter("parcel")):
        yield parcel_of(operations)


def _on_their_way() -> Iterable[Parcel]:
    taken = Exists(Operation.objects.filter(key=OuterRef("key")))
    for late in LateArrival.objects.exclude(taken).iterator(BATCH):
        yield Parcel("", (late.key,), late.reference)
