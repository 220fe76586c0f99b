"""Reads and checks the inventory service for an audit: units in stock, promised and moved."""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from django.db.models import Case, Count, Sum, Value, When

from inventory.models import Movement, Reservation, Stock
from orchestration.contracts.audit import Checked, HoldingFacts, StepEffect
from orchestration.contracts.inventory import reserve_stock
from orchestration.contracts.values import nfc
from orchestration.participant.audit import BATCH, AuditedRows, ServiceAudit
from orchestration.participant.selection import Selection
from orchestration.text import formatting

NO_UNITS: Mapping[str, int] = {}
LIVE, RELEASED = "live reservation", "released reservation"

Line = tuple[UUID, str, str, int, int]
"""(saga, SKU, what, how many rows, units): `what` is a kind of movement, or `LIVE` or `RELEASED`."""


@dataclass(frozen=True, slots=True)
class StockFacts:
    """One SKU's row, and the units in its reservations and movements."""

    sku: str
    on_hand: int
    reserved: int
    promised: int
    moved: Mapping[str, int]


def read_stock() -> list[StockFacts]:
    """Return the facts of every SKU."""
    promised = Reservation.objects.filter(released_at=None).values_list("stock_id").annotate(Sum("quantity")).order_by()
    promised_by_sku: dict[str, int] = dict(promised)
    moved: dict[str, dict[str, int]] = defaultdict(dict)
    for sku, kind, quantity in Movement.objects.values_list("stock_id", "kind").annotate(Sum("quantity")).order_by():
        moved[sku][kind] = quantity
    rows = Stock.objects.values_list("sku", "on_hand", "reserved").iterator(BATCH)
    return [StockFacts(*row, promised_by_sku.get(row[0], 0), moved[row[0]]) for row in rows]


def read_holdings(chosen: Selection) -> dict[UUID, HoldingFacts]:
    """Return the holding of each saga, from its reservations and movements."""
    lines = merge(_reservations(chosen), _movements(chosen), key=itemgetter(0))
    return {saga_id: holding_of(group) for saga_id, group in groupby(lines, key=itemgetter(0))}


def holding_of(lines: Iterable[Line]) -> HoldingFacts:
    """Return the holding of one saga, given all of its reservations and movements."""
    found: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for _, sku, what, count, quantity in lines:
        found[sys.intern(sku)][what] = (count, quantity)
    live = {sku: whats[LIVE][1] for sku, whats in found.items() if LIVE in whats}
    released = {sku: whats[RELEASED][1] for sku, whats in found.items() if RELEASED in whats}
    faults = tuple(fault for sku, whats in found.items() for fault in _faults_of_sku(sku, whats))
    return HoldingFacts(live or NO_UNITS, released or NO_UNITS, faults)


def check_stock() -> Iterator[Checked]:
    """Check A1 and A2 of every SKU."""
    for stock in read_stock():
        yield Checked("A1", tuple(_promise_faults(stock)), {"sku": stock.sku})
        yield Checked("A2", tuple(_movement_faults(stock)), {"sku": stock.sku})


def check_holdings(holdings: Mapping[UUID, HoldingFacts]) -> Iterator[Checked]:
    """Check A4 of every saga's reservations."""
    for saga_id, holding in holdings.items():
        yield Checked("A4", holding.faults, {"saga": saga_id})


def effect_of(holding: HoldingFacts) -> StepEffect:
    """Return the effect of reserving."""
    match bool(holding.live), bool(holding.released):
        case True, True:
            return StepEffect.MIXED
        case True, False:
            return StepEffect.LIVE
        case False, True:
            return StepEffect.REVERSED
        case _:
            return StepEffect.NONE


def lacks(holding: HoldingFacts | None, ordered: Mapping[str, int]) -> str:
    """Return what a completed checkout lacks; stock rows may keep SKUs in the form in which they were first written."""
    live = Counter[str]()
    for sku, quantity in holding.live.items() if holding else ():
        live[nfc(sku)] += quantity
    return "" if dict(live) == ordered else "it does not hold the units that were ordered"


def leftover(holding: HoldingFacts) -> str:
    """Return what a compensated checkout has left behind."""
    return "it still holds units" if holding.live else ""


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


audit = ServiceAudit(
    rows=(
        AuditedRows(
            facts=HoldingFacts,
            kind="reservation or movement",
            action=reserve_stock,
            read=read_holdings,
            effect=effect_of,
            lacks=lacks,
            leftover=leftover,
            check=check_holdings,
        ),
    ),
    invariants={
        "A1": "reserved is between 0 and on hand, and is the sum of live reservations",
        "A2": "received minus consumed is on hand",
    },
    check_everything=check_stock,
)
