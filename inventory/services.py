"""The inventory service: reserves, releases and receives stock."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F
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
    """Units of one SKU to move, the checkout whose units they are, and the change that moves them, if there is one."""

    sku: str
    quantity: int
    saga_id: UUID | None = None
    change_id: UUID | None = None


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
    needs = [sum_by_sku((nfc(line.sku), line.quantity) for line in request.lines) for request in requests]
    stock = stock_rows(set().union(*needs), lock=lock)
    answers = _decide(needs, left={sku: row.available for sku, row in stock.items()})
    granted = [
        (request, sku, quantity)
        for request, units, refusal in zip(requests, needs, answers, strict=True)
        if refusal is None
        for sku, quantity in units.items()
    ]
    Stock.objects.reserve(sum_by_sku((sku, quantity) for _, sku, quantity in granted), read=stock)
    reservations = [
        Reservation(saga_id=request.saga_id, order_id=request.order_id, stock_id=sku, quantity=quantity)
        for request, sku, quantity in granted
    ]
    insert_all(reservations, "inventory")
    record(Movement.Kind.RESERVED, [Move(sku, quantity, request.saga_id) for request, sku, quantity in granted])
    return answers


def release_stock(requests: Sequence[ReleaseStock]) -> list[None]:
    """Release the units that these sagas still hold."""
    release_holds({request.saga_id: None for request in requests})
    return [None for _ in requests]


def release_holds(change_of: Mapping[UUID, UUID | None]) -> bool:
    """Release the units that these checkouts still hold and that have not left. Return whether they held any.

    The values are the changes that release them, None when the checkout is compensated.
    """
    held = Reservation.objects.filter(saga_id__in=change_of, released_at=None, consumed__lt=F("quantity"))
    moves = [
        Move(each.stock_id, each.unconsumed, each.saga_id, change_of[each.saga_id])
        for each in held.order_by("stock_id", "saga_id")
    ]
    Stock.objects.release(units_moved(moves))
    held.update(released_at=Now())
    record(Movement.Kind.RELEASED, moves)
    return bool(moves)


def receive_stock(*, units_by_sku: Mapping[str, int]) -> None:
    """Add delivered units to the units on hand. Units are positive. A new SKU gets a stock row."""
    units = sum_by_sku((nfc(sku), units) for sku, units in units_by_sku.items())
    with transaction.atomic(using="inventory"):
        Stock.objects.receive(units)
        record(Movement.Kind.RECEIVED, [Move(sku, quantity) for sku, quantity in units.items()])


def top_up_stock(*, units_by_sku: Mapping[str, int]) -> None:
    """Receive missing units, so that at least this many of each SKU are available."""
    wanted = sum_by_sku((nfc(sku), units) for sku, units in units_by_sku.items())
    available = available_units(wanted)
    missing = {sku: units - available.get(sku, 0) for sku, units in wanted.items()}
    receive_stock(units_by_sku={sku: units for sku, units in missing.items() if units > 0})


def sum_by_sku(quantities: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return the units of each SKU, in SKU order. Lines with the same SKU are added."""
    units: Counter[str] = Counter()
    for sku, quantity in quantities:
        units[sku] += quantity
    return dict(sorted(units.items()))


def units_moved(moves: Iterable[Move]) -> dict[str, int]:
    """Return the moved units of each SKU, in SKU order."""
    return sum_by_sku((move.sku, move.quantity) for move in moves)


def record(kind: Movement.Kind, moves: Iterable[Move]) -> None:
    """Insert a movement of this kind for each move."""
    rows = [
        Movement(stock_id=each.sku, kind=kind, quantity=each.quantity, saga_id=each.saga_id, change_id=each.change_id)
        for each in moves
    ]
    insert_all(rows, "inventory")


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
