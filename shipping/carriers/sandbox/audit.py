"""The sandbox carrier's own books (A4), read apart from what shipping believes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import merge
from itertools import chain, groupby
from operator import attrgetter
from uuid import UUID

from django.db.models import Exists, F, OuterRef

from orchestration.operators.audit import keys
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.read_only import BATCH
from orchestration.participant.selection import EVERYTHING, Selection
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


def read(chosen: Selection = EVERYTHING) -> Parcels:
    """The bookings, also those refused and those still on their way."""
    found: dict[UUID | None, list[Parcel]] = defaultdict(list)
    for parcel in chain(_arrived(chosen), _on_their_way(chosen)):
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
    booked: dict[str, list[str]] = defaultdict(list)
    for parcel in chain.from_iterable(parcels.values()):
        if not parcel.refused:
            booked[parcel.reference].append(parcel.keys[0])
    for reference, made_under in booked.items():
        findings.look_at("A4")
        if len(made_under) > 1:
            message = f"The carrier made {len(made_under)} bookings for one order."
            findings.violated("A4", message, order=reference, key=made_under[0], other_key=made_under[1])


def _arrived(chosen: Selection) -> Iterable[Parcel]:
    first = Operation.objects.filter(chosen.keys(), booking=None).annotate(parcel=F("id")).order_by("parcel")
    later = Operation.objects.filter(chosen.keys("booking__key"), booking__isnull=False)
    later = later.annotate(parcel=F("booking_id")).order_by("parcel")
    of_parcel = attrgetter("parcel")
    rows = merge(first.iterator(BATCH), later.iterator(BATCH), key=of_parcel)
    for _, operations in groupby(rows, key=of_parcel):
        yield parcel_of(operations)


def _on_their_way(chosen: Selection) -> Iterable[Parcel]:
    taken = Exists(Operation.objects.filter(key=OuterRef("key")))
    for late in LateArrival.objects.filter(chosen.keys()).exclude(taken).iterator(BATCH):
        yield Parcel("", (late.key,), late.reference)
