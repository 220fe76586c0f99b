"""Units in stock, promised and moved (A1, A2, and A4 of reservations)."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from django.db.models import Case, Count, Sum, Value, When

from inventory.models import Movement, Reservation, Stock
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.invariants.effects import Effect
from orchestration.operators.audit.read_only import BATCH
from orchestration.participant.selection import EVERYTHING, Selection
from orchestration.text import formatting

NO_UNITS: Mapping[str, int] = {}
LIVE, RELEASED = "live reservation", "released reservation"

Line = tuple[UUID, str, str, int, int]
"""(saga, SKU, what, how many rows, units): `what` is a kind of movement, `LIVE` or `RELEASED`."""


@dataclass(frozen=True, slots=True)
class StockFacts:
    """One SKU's row, what reservations say of it, and what movements do; all in units."""

    sku: str
    on_hand: int
    reserved: int
    promised: int
    moved: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Holding:
    """What one saga holds, held, and what is wrong with how it was booked."""

    live: Mapping[str, int]
    released: Mapping[str, int]
    faults: tuple[str, ...]

    @property
    def effect(self) -> Effect:
        match bool(self.live), bool(self.released):
            case True, True:
                return Effect.MIXED
            case True, False:
                return Effect.LIVE
            case False, True:
                return Effect.REVERSED
            case _:
                return Effect.NONE


def read() -> list[StockFacts]:
    """Every SKU."""
    promised = Reservation.objects.filter(released_at=None).values_list("stock_id").annotate(Sum("quantity")).order_by()
    promised_by_sku: dict[str, int] = dict(promised)
    moved: dict[str, dict[str, int]] = defaultdict(dict)
    for sku, kind, quantity in Movement.objects.values_list("stock_id", "kind").annotate(Sum("quantity")).order_by():
        moved[sku][kind] = quantity
    rows = Stock.objects.values_list("sku", "on_hand", "reserved").iterator(BATCH)
    return [StockFacts(*row, promised_by_sku.get(row[0], 0), moved[row[0]]) for row in rows]


def read_holdings(chosen: Selection = EVERYTHING) -> dict[UUID, Holding]:
    """What each saga holds: its reservations and its movements, side by side."""
    lines = merge(_reservations(chosen), _movements(chosen), key=itemgetter(0))
    return {saga_id: holding_of(group) for saga_id, group in groupby(lines, key=itemgetter(0))}


def holding_of(lines: Iterable[Line]) -> Holding:
    """What the reservations and movements of one saga say."""
    found: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for _, sku, what, count, quantity in lines:
        found[sys.intern(sku)][what] = (count, quantity)
    live = {sku: whats[LIVE][1] for sku, whats in found.items() if LIVE in whats}
    released = {sku: whats[RELEASED][1] for sku, whats in found.items() if RELEASED in whats}
    faults = tuple(fault for sku, whats in found.items() for fault in _faults_of_sku(sku, whats))
    return Holding(live or NO_UNITS, released or NO_UNITS, faults)


def check(stocks: Iterable[StockFacts], findings: Findings) -> None:
    """A1 and A2, of every SKU."""
    for stock in stocks:
        findings.look_at("A1")
        findings.look_at("A2")
        for fault in _promise_faults(stock):
            findings.violated("A1", fault, sku=stock.sku)
        for fault in _movement_faults(stock):
            findings.violated("A2", fault, sku=stock.sku)


def check_holdings(holdings: Mapping[UUID, Holding], findings: Findings) -> None:
    """A4, of every saga's reservations."""
    for saga_id, holding in holdings.items():
        findings.look_at("A4")
        for fault in holding.faults:
            findings.violated("A4", fault, saga=saga_id)


def _reservations(chosen: Selection) -> Iterator[Line]:
    what = Case(When(released_at=None, then=Value(LIVE)), default=Value(RELEASED))
    rows = Reservation.objects.filter(chosen.sagas()).order_by("saga_id").annotate(what=what)
    for saga_id, sku, what_, quantity in rows.values_list("saga_id", "stock_id", "what", "quantity").iterator(BATCH):
        yield saga_id, sku, what_, 1, quantity


def _movements(chosen: Selection) -> Iterator[Line]:
    rows = Movement.objects.filter(chosen.sagas(), saga_id__isnull=False).values_list("saga_id", "stock_id", "kind")
    counted = rows.annotate(Count("id"), Sum("quantity")).order_by("saga_id")
    yield from counted.iterator(BATCH)


def _promise_faults(stock: StockFacts) -> Iterator[str]:
    if not 0 <= stock.reserved <= stock.on_hand:
        yield f"{stock.reserved} of {stock.on_hand} units of {stock.sku} are reserved."
    if stock.reserved != stock.promised:
        yield f"{_units(stock.reserved)} of {stock.sku} reserved, live reservations hold {stock.promised}."


def _movement_faults(stock: StockFacts) -> Iterator[str]:
    moved = defaultdict(int, stock.moved)
    consumed = moved[Movement.Kind.CONSUMED]
    left = moved[Movement.Kind.RECEIVED] - consumed
    if left != stock.on_hand:
        yield f"{_units(stock.on_hand)} of {stock.sku} on hand, received less consumed is {left}."
    promised = moved[Movement.Kind.RESERVED] - moved[Movement.Kind.RELEASED] - consumed
    if promised != stock.reserved:
        yield f"{_units(stock.reserved)} of {stock.sku} reserved, the movements leave {promised}."


def _faults_of_sku(sku: str, whats: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    _, held = whats.get(LIVE) or whats.get(RELEASED) or (0, 0)
    reserved, released = whats.get(Movement.Kind.RESERVED, (0, 0)), whats.get(Movement.Kind.RELEASED, (0, 0))
    if reserved != (1 if held else 0, held):
        yield f"{_units(held)} of {sku} promised, {_movements_said(reserved[0])} reserved {reserved[1]}."
    if released != ((1, held) if RELEASED in whats else (0, 0)):
        message = "given back" if RELEASED in whats else "still promised"
        yield f"{_units(held)} of {sku} {message}, {_movements_said(released[0])} released {released[1]}."


def _units(number: int) -> str:
    return formatting.count(number, "unit")


def _movements_said(number: int) -> str:
    return formatting.count(number, "movement")
