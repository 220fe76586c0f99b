"""Reads and checks, for an audit, the units of each checkout: its reservations and the movements of their units."""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, Sum

from inventory.models import Movement, Reservation
from orchestration.contracts.audit import Checked, HoldingFacts, StepEffect
from orchestration.contracts.inventory import reserve_stock
from orchestration.contracts.values import nfc
from orchestration.participant.audit import BATCH, AuditedRows
from orchestration.participant.selection import Selection
from orchestration.text import formatting

NO_UNITS: Mapping[str, int] = {}
NO_CHANGES: frozenset[UUID] = frozenset()


class Reserved(NamedTuple):
    """One reservation: units of one SKU. `unconsumed` are those that have not left."""

    saga_id: UUID
    sku: str
    quantity: int
    consumed: int
    returned: int
    is_released: bool

    @property
    def unconsumed(self) -> int:
        return self.quantity - self.consumed


class Moved(NamedTuple):
    """The movements of one kind of a checkout's units, made by one change or (None) by the checkout."""

    saga_id: UUID
    sku: str
    kind: str
    change_id: UUID | None
    movements: int
    units: int


def read_holdings(chosen: Selection) -> dict[UUID, HoldingFacts]:
    """Return the holding of each checkout, from its reservations and movements."""
    of_saga = attrgetter("saga_id")
    lines: Iterator[Reserved | Moved] = merge(_reservations(chosen), _movements(chosen), key=of_saga)
    return {saga_id: holding_of(group) for saga_id, group in groupby(lines, key=of_saga)}


def holding_of(lines: Iterable[Reserved | Moved]) -> HoldingFacts:
    """Return the holding of one checkout, given all of its reservations and movements."""
    reserved: dict[str, Reserved] = {}
    moved: defaultdict[str, list[Moved]] = defaultdict(list)
    for line in lines:
        sku = sys.intern(line.sku)
        if isinstance(line, Reserved):
            reserved[sku] = line
        else:
            moved[sku].append(line)
    changes = frozenset(each.change_id for of_sku in moved.values() for each in of_sku if each.change_id)
    released = {sku: row.unconsumed for sku, row in reserved.items() if row.is_released}
    cancelled = {sku: units for sku, units in released.items() if _was_cancelled(moved[sku])} if changes else {}
    return HoldingFacts(
        live={sku: row.unconsumed for sku, row in reserved.items() if not row.is_released and row.unconsumed}
        or NO_UNITS,
        released={sku: units for sku, units in released.items() if sku not in cancelled} or NO_UNITS,
        faults=tuple(
            fault
            for sku in reserved.keys() | moved.keys()
            for fault in _faults(sku, reserved.get(sku), moved.get(sku, ()))
        ),
        consumed={sku: row.consumed for sku, row in reserved.items() if row.consumed} or NO_UNITS,
        cancelled=cancelled or NO_UNITS,
        changes=changes or NO_CHANGES,
    )


def check_holdings(holdings: Mapping[UUID, HoldingFacts]) -> Iterator[Checked]:
    """Check A4 of every checkout's reservations."""
    for saga_id, holding in holdings.items():
        yield Checked("A4", holding.faults, {"saga": saga_id})


def effect_of(holding: HoldingFacts) -> StepEffect:
    """Return the effect of reserving. Units that a change has moved were not compensated."""
    match bool(holding.live or holding.consumed or holding.cancelled), bool(holding.released):
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
    found = Counter[str]()
    for units in (holding.live, holding.consumed, holding.cancelled) if holding else ():
        for sku, quantity in units.items():
            found[nfc(sku)] += quantity
    return "" if dict(found) == ordered else "it does not hold the units that were ordered"


def leftover(holding: HoldingFacts) -> str:
    """Return what a compensated checkout has left behind."""
    return "it still holds units" if holding.live else ""


def disagrees(holding: HoldingFacts, is_cancelled: bool) -> str:
    """Return how the holding disagrees with its order, which is cancelled or not."""
    if is_cancelled:
        return leftover(holding)
    return "its units were released" if holding.cancelled else ""


def _reservations(chosen: Selection) -> Iterator[Reserved]:
    rows = Reservation.objects.filter(chosen.sagas()).order_by("saga_id")
    columns = ("saga_id", "stock_id", "quantity", "consumed", "returned", "released_at")
    for saga_id, sku, quantity, consumed, returned, released_at in rows.values_list(*columns).iterator(BATCH):
        yield Reserved(saga_id, sku, quantity, consumed, returned, released_at is not None)


def _movements(chosen: Selection) -> Iterator[Moved]:
    rows = Movement.objects.filter(chosen.sagas(), saga_id__isnull=False)
    by_kind = rows.values_list("saga_id", "stock_id", "kind", "change_id").annotate(Count("id"), Sum("quantity"))
    for row in by_kind.order_by("saga_id").iterator(BATCH):
        yield Moved(*row)


def _was_cancelled(moved: Iterable[Moved]) -> bool:
    return any(each.kind == Movement.Kind.RELEASED and each.change_id for each in moved)


def _faults(sku: str, row: Reserved | None, moved: Iterable[Moved]) -> Iterator[str]:
    count, units = Counter[str](), Counter[str]()
    for each in moved:
        count[each.kind] += each.movements
        units[each.kind] += each.units
    promised, is_released, left = (row.quantity, row.is_released, row.unconsumed) if row else (0, False, 0)
    kind = Movement.Kind.RESERVED
    if (count[kind], units[kind]) != (1 if promised else 0, promised):
        yield f"{_units(promised)} of {sku} promised, {_movements_said(count[kind])} reserved {units[kind]}."
    kind = Movement.Kind.RELEASED
    if (count[kind], units[kind]) != ((1, left) if is_released else (0, 0)):
        message = "given back" if is_released else "still promised"
        yield f"{_units(left)} of {sku} {message}, {_movements_said(count[kind])} released {units[kind]}."
    for kind, of_row in (
        (Movement.Kind.CONSUMED, row and row.consumed),
        (Movement.Kind.RETURNED, row and row.returned),
    ):
        if units[kind] != (of_row or 0):
            yield f"{_units(of_row or 0)} of {sku} {kind}, {_movements_said(count[kind])} {kind} {units[kind]}."


def _units(number: int) -> str:
    return formatting.count(number, "unit")


def _movements_said(number: int) -> str:
    return formatting.count(number, "movement")


rows = AuditedRows(
    facts=HoldingFacts,
    kind="reservation or movement",
    action=reserve_stock,
    read=read_holdings,
    effect=effect_of,
    lacks=lacks,
    leftover=leftover,
    changes=attrgetter("changes"),
    disagrees=disagrees,
    check=check_holdings,
)
