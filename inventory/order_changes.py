"""The commands of the inventory service that change placed orders: units leave the warehouse, or come back."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import BigIntegerField, F

from inventory.models import Movement, Reservation, Stock
from inventory.services import Move, record, release_holds, sum_by_sku, units_moved
from orchestration.contracts.inventory import ConsumeUnits, ReleaseUnits, TakeBack
from orchestration.contracts.values import nfc
from orchestration.db.bulk_update import UpdateEach, each_own
from orchestration.participant.refusals import PermanentFailure, Refusal

_units = each_own("units", by="id", kind=BigIntegerField())
_consume = UpdateEach(Reservation, by="id", consumed=F("consumed") + _units)
_take_back = UpdateEach(Reservation, by="id", returned=F("returned") + _units)


class NotReserved(PermanentFailure):
    """Fewer units of the order are reserved and in the warehouse than are to leave it."""


class QuantityExceedsDispatched(Refusal):
    """More units are to come back than have left."""

    code = "quantity_exceeds_dispatched"


@dataclass(frozen=True)
class Allotment:
    """The units of a change, by reservation, and the units for which the reservations have too few, by SKU."""

    units: Mapping[int, int]
    short: Mapping[str, int]


def consume_units(requests: Sequence[ConsumeUnits]) -> list[None]:
    """Take these units out of the warehouse: fewer are reserved, and fewer are on hand.

    :raises NotReserved: when a checkout has fewer units reserved that have not left.
    """
    rows = _locked_reservations(requests)
    allotted = _allot(requests, rows, lambda row: 0 if row.released_at else row.unconsumed)
    for request, allotment in zip(requests, allotted, strict=True):
        if allotment.short:
            raise NotReserved(f"order {request.order_id}: {dict(allotment.short)} more than are reserved")
    moves = _moves(requests, allotted, rows)
    Stock.objects.consume(units_moved(moves))
    _add(_consume, allotted)
    record(Movement.Kind.CONSUMED, moves)
    return [None for _ in requests]


def release_units(requests: Sequence[ReleaseUnits]) -> list[None]:
    """Release the units of these orders that are reserved and have not left."""
    release_holds({request.checkout_id: request.saga_id for request in requests})
    return [None for _ in requests]


def take_back(requests: Sequence[TakeBack]) -> list[Refusal | None]:
    """Add units that came back to the units on hand.

    Return for each request None, or `QuantityExceedsDispatched` when fewer units have left and not come back yet.
    """
    rows = _locked_reservations(requests)
    allotted = _allot(requests, rows, lambda row: row.consumed - row.returned)
    moves = _moves(requests, allotted, rows)
    Stock.objects.take_back(units_moved(moves))
    _add(_take_back, allotted)
    record(Movement.Kind.RETURNED, moves)
    return [QuantityExceedsDispatched(exceeds_by=dict(each.short)) if each.short else None for each in allotted]


def _locked_reservations(requests: Sequence[ConsumeUnits | TakeBack]) -> dict[int, Reservation]:
    """Return the reservations of these orders, by id, locked in SKU order."""
    found = Reservation.objects.select_for_update().filter(saga_id__in={request.checkout_id for request in requests})
    return {row.pk: row for row in found.order_by("stock_id", "saga_id")}


def _allot(
    requests: Sequence[ConsumeUnits | TakeBack],
    rows: Mapping[int, Reservation],
    left_in: Callable[[Reservation], int],
) -> list[Allotment]:
    """Allot to each request in turn the units left in its order's reservations: all that it asks for, or none.

    An order has one reservation of a SKU. Very old orders may have two, in two spellings of Unicode.
    """
    left = {pk: left_in(row) for pk, row in rows.items()}
    of_sku: dict[tuple[UUID, str], list[int]] = defaultdict(list)
    for pk, row in rows.items():
        of_sku[row.saga_id, nfc(row.stock_id)].append(pk)
    allotted = []
    for request in requests:
        units, short = {}, {}
        for sku, wanted in sum_by_sku((nfc(line.sku), line.quantity) for line in request.change_lines).items():
            for pk in of_sku[request.checkout_id, sku]:
                units[pk] = min(wanted, left[pk])
                wanted -= units[pk]
            if wanted:
                short[sku] = wanted
        allotment = Allotment({} if short else {pk: count for pk, count in units.items() if count}, short)
        for pk, count in allotment.units.items():
            left[pk] -= count
        allotted.append(allotment)
    return allotted


def _moves(
    requests: Sequence[ConsumeUnits | TakeBack],
    allotted: Sequence[Allotment],
    rows: Mapping[int, Reservation],
) -> list[Move]:
    return [
        Move(rows[pk].stock_id, units, request.checkout_id, request.saga_id)
        for request, allotment in zip(requests, allotted, strict=True)
        for pk, units in allotment.units.items()
    ]


def _add(update: UpdateEach, allotted: Sequence[Allotment]) -> None:
    total: dict[int, dict[str, int]] = defaultdict(lambda: {"units": 0})
    for allotment in allotted:
        for pk, units in allotment.units.items():
            total[pk]["units"] += units
    update(total)
