"""Reads and checks the sandbox carrier's own records, separately from those of the shipping service."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import attrgetter

from django.db.models import Exists, F, OuterRef

from orchestration.contracts.audit import CarrierParcel, Checked
from orchestration.contracts.shipping import schedule_shipment
from orchestration.participant.audit import BATCH, AuditedBooks, one_for_an_order
from orchestration.participant.selection import Selection
from shipping.carriers.choice import carrier
from shipping.carriers.sandbox.carrier import SandboxCarrier
from shipping.carriers.sandbox.models import Kind, LateArrival, Operation


def can_be_read() -> bool:
    """Return whether this process's carrier is the sandbox."""
    return isinstance(carrier(), SandboxCarrier)


def read_parcels(chosen: Selection) -> Iterator[CarrierParcel]:
    """Yield the bookings, including those refused and those that have not arrived yet."""
    yield from _arrived(chosen)
    yield from _on_their_way(chosen)


def parcel_of(operations: Iterable[Operation]) -> CarrierParcel:
    """Return one booking, built from its operations."""
    booked, *cancelled = sorted(operations, key=lambda operation: operation.kind != Kind.BOOK)
    return CarrierParcel(
        tracking_number=booked.tracking_number,
        keys=(booked.key, *(row.key for row in cancelled)),
        reference=booked.reference,
        refused=booked.refused,
        cancelled=bool(cancelled),
    )


def check(parcels: Sequence[CarrierParcel]) -> Iterator[Checked]:
    """Check A4: one booking an order."""
    booked: dict[str, list[str]] = defaultdict(list)
    for parcel in parcels:
        if not parcel.refused:
            booked[parcel.reference].append(parcel.keys[0])
    for reference, made_under in booked.items():
        message = f"The carrier made {len(made_under)} bookings for one order."
        yield one_for_an_order(message, reference, made_under)


def leftovers(parcels: Sequence[CarrierParcel]) -> Iterator[str]:
    """Yield what one compensated checkout has left behind."""
    if any(parcel.is_live for parcel in parcels):
        yield "the carrier has a live parcel"


def _arrived(chosen: Selection) -> Iterator[CarrierParcel]:
    first = Operation.objects.filter(chosen.keys(), booking=None).annotate(parcel=F("id")).order_by("parcel")
    later = Operation.objects.filter(chosen.keys("booking__key"), booking__isnull=False)
    later = later.annotate(parcel=F("booking_id")).order_by("parcel")
    of_parcel = attrgetter("parcel")
    rows = merge(first.iterator(BATCH), later.iterator(BATCH), key=of_parcel)
    for _, operations in groupby(rows, key=of_parcel):
        yield parcel_of(operations)


def _on_their_way(chosen: Selection) -> Iterator[CarrierParcel]:
    taken = Exists(Operation.objects.filter(key=OuterRef("key")))
    for late in LateArrival.objects.filter(chosen.keys()).exclude(taken).iterator(BATCH):
        yield CarrierParcel("", (late.key,), late.reference)


books = AuditedBooks(
    facts=CarrierParcel,
    name="carrier",
    action=schedule_shipment,
    needed_for="A4 Q2 Q3 Q6",
    can_be_read=can_be_read,
    read=read_parcels,
    leftovers=leftovers,
    check=check,
)
