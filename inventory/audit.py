"""Reads and checks the inventory service for an audit: units in stock, promised and moved."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, Sum

from inventory import holdings
from inventory.models import Movement, Reservation, Stock
from orchestration.contracts.audit import Checked, MovedUnits, StepEffect
from orchestration.contracts.inventory import consume_units, take_back
from orchestration.participant.audit import BATCH, AuditedRows, ServiceAudit
from orchestration.participant.selection import Selection
from orchestration.text import formatting


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
    live = Reservation.objects.filter(released_at=None).values_list("stock_id").order_by()
    promised_by_sku: dict[str, int] = dict(live.annotate(units=Sum(F("quantity") - F("consumed"))))
    moved: dict[str, dict[str, int]] = defaultdict(dict)
    for sku, kind, quantity in Movement.objects.values_list("stock_id", "kind").annotate(Sum("quantity")).order_by():
        moved[sku][kind] = quantity
    rows = Stock.objects.values_list("sku", "on_hand", "reserved").iterator(BATCH)
    return [StockFacts(*row, promised_by_sku.get(row[0], 0), moved[row[0]]) for row in rows]


def check_stock() -> Iterator[Checked]:
    """Check A1 and A2 of every SKU."""
    for stock in read_stock():
        yield Checked("A1", tuple(_promise_faults(stock)), {"sku": stock.sku})
        yield Checked("A2", tuple(_movement_faults(stock)), {"sku": stock.sku})


def read_moved(chosen: Selection) -> dict[UUID, MovedUnits]:
    """Return the units that changes of orders have moved, by change."""
    moved: defaultdict[UUID, dict[str, int]] = defaultdict(dict)
    rows = Movement.objects.filter(chosen.sagas("change_id"), change_id__isnull=False)
    for change_id, kind, units in rows.values_list("change_id", "kind").annotate(Sum("quantity")).order_by():
        moved[change_id][kind] = units
    return {change_id: MovedUnits(by_kind) for change_id, by_kind in moved.items()}


def effect_of_consuming(moved: MovedUnits) -> StepEffect:
    """Return the effect of consuming units."""
    return StepEffect.LIVE if Movement.Kind.CONSUMED in moved.by_kind else StepEffect.NONE


def effect_of_taking_back(moved: MovedUnits, _: bool) -> StepEffect:
    """Return the effect of taking units back."""
    return StepEffect.LIVE if Movement.Kind.RETURNED in moved.by_kind else StepEffect.NONE


def _promise_faults(stock: StockFacts) -> Iterator[str]:
    if not 0 <= stock.reserved <= stock.on_hand:
        yield f"{stock.reserved} of {stock.on_hand} units of {stock.sku} are reserved."
    if stock.reserved != stock.promised:
        yield f"{_units(stock.reserved)} of {stock.sku} reserved, live reservations hold {stock.promised}."


def _movement_faults(stock: StockFacts) -> Iterator[str]:
    moved = defaultdict(int, stock.moved)
    consumed = moved[Movement.Kind.CONSUMED]
    left = moved[Movement.Kind.RECEIVED] + moved[Movement.Kind.RETURNED] - consumed
    if left != stock.on_hand:
        yield f"{_units(stock.on_hand)} of {stock.sku} on hand, received and returned less consumed is {left}."
    promised = moved[Movement.Kind.RESERVED] - moved[Movement.Kind.RELEASED] - consumed
    if promised != stock.reserved:
        yield f"{_units(stock.reserved)} of {stock.sku} reserved, the movements leave {promised}."


def _units(number: int) -> str:
    return formatting.count(number, "unit")


audit = ServiceAudit(
    rows=(
        holdings.rows,
        AuditedRows(
            facts=MovedUnits,
            kind="movement of a change",
            action=consume_units,
            read=read_moved,
            effect=effect_of_consuming,
            later_effects={take_back: effect_of_taking_back},
        ),
    ),
    invariants={
        "A1": "reserved is between 0 and on hand, and is the sum of live reservations",
        "A2": "received and returned minus consumed is on hand",
    },
    check_everything=check_stock,
)
