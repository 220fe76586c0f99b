"""The inventory service: reserves, releases and receives stock."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from inventory.models import Movement, Reservation, Stock
from inventory.selectors import available_units, stock_rows
from orchestration.contracts.inventory import ReleaseStock, ReserveStock
from orchestration.contracts.values import nfc
from orchestration.db.sql import insert_all
from orchestration.participant.optimistic_locking import optimistic
from orchestration.participant.refusals import Refusal


@dataclass(frozen=True)
class Move:
    """A change of the units of one SKU, and the saga that requested it, if one did."""

    sku: str
    quantity: int
    saga_id: UUID | None = None


class OutOfStock(Refusal):
    """Not enough units are left."""

    code = "out_of_stock"


class UnknownSku(Refusal):
    """Inventory does not hold this SKU."""

    code = "unknown_sku"


@optimistic("inventory")
def reserve_stock(requests: Sequence[ReserveStock], *, lock: bool) -> list[Refusal | None]:
    """Hold the units of all lines of a request, or of none. Earlier requests get units before later ones.

    Return for each request None, or its refusal: `OutOfStock` when a SKU has fewer units than requested, `UnknownSku`
    when a SKU has no stock row. `lock`: lock the stock rows; the kit sets it for the last try.
    """
    needs = [_units_by_sku((nfc(line.sku), line.quantity) for line in request.lines) for request in requests]
    stock = stock_rows(set().union(*needs), lock=lock)
    answers = _decide(needs, left={sku: row.available for sku, row in stock.items()})
    granted = [
        (request, sku, quantity)
        for request, units, refusal in zip(requests, needs, answers, strict=True)
        if refusal is None
        for sku, quantity in units.items()
    ]
    Stock.objects.reserve(_units_by_sku((sku, quantity) for _, sku, quantity in granted), read=stock)
    reservations = [
        Reservation(saga_id=request.saga_id, order_id=request.order_id, stock_id=sku, quantity=quantity)
        for request, sku, quantity in granted
    ]
    insert_all(reservations, "inventory")
    _record(Movement.Kind.RESERVED, [Move(sku, quantity, request.saga_id) for request, sku, quantity in granted])
    return answers


def release_stock(requests: Sequence[ReleaseStock]) -> list[None]:
    """Release the units that these sagas still hold."""
    release_holds({request.saga_id for request in requests})
    return [None for _ in requests]


def release_holds(saga_ids: Collection[UUID]) -> bool:
    """Release the units that these sagas still hold. Return whether they held any."""
    held = Reservation.objects.filter(saga_id__in=saga_ids, released_at=None)
    moves = [Move(each.stock_id, each.quantity, each.saga_id) for each in held.order_by("stock_id", "saga_id")]
    Stock.objects.release(_units_by_sku((move.sku, move.quantity) for move in moves))
    held.update(released_at=Now())
    _record(Movement.Kind.RELEASED, moves)
    return bool(moves)


def receive_stock(*, units_by_sku: Mapping[str, int]) -> None:
    """Add delivered units to the units on hand. Units are positive. A new SKU gets a stock row."""
    units = _units_by_sku((nfc(sku), units) for sku, units in units_by_sku.items())
    with transaction.atomic(using="inventory"):
        Stock.objects.receive(units)
        _record(Movement.Kind.RECEIVED, [Move(sku, quantity) for sku, quantity in units.items()])


def top_up_stock(*, units_by_sku: Mapping[str, int]) -> None:
    """Receive missing units, so that at least this many of each SKU are available."""
    wanted = _units_by_sku((nfc(sku), units) for sku, units in units_by_sku.items())
    available = available_units(wanted)
    missing = {sku: units - available.get(sku, 0) for sku, units in wanted.items()}
    receive_stock(units_by_sku={sku: units for sku, units in missing.items() if units > 0})


def _decide(needs: Sequence[Mapping[str, int]], left: dict[str, int]) -> list[Refusal | None]:
    """Decide each request in turn: subtract its units from those `left`, or refuse it."""
    answers = []
    for units in needs:
        answers.append(refusal := _refusal_of(units, left))
        if refusal is None:
            for sku, quantity in units.items():
                left[sku] -= quantity
    return answers


def _refusal_of(units: Mapping[str, int], left: Mapping[str, int]) -> Refusal | None:
    for sku, wanted in units.items():
        if sku not in left:
            return UnknownSku(sku=sku)
        if left[sku] < wanted:
            return OutOfStock(sku=sku, wanted=wanted, available=left[sku])
    return None


def _units_by_sku(quantities: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the units of each SKU, in SKU order. Lines with the same SKU are added."""
    units: Counter[str] = Counter()
    for sku, quantity in quantities:
        units[sku] += quantity
    return dict(sorted(units.items()))


def _record(kind: Movement.Kind, moves: Iterable[Move]) -> None:
    rows = [Movement(stock_id=each.sku, kind=kind, quantity=each.quantity, saga_id=each.saga_id) for each in moves]
    insert_all(rows, "inventory")
