"""Writes of the inventory service."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from inventory.models import Movement, Reservation, Stock
from inventory.selectors import available_units
from orchestration.contracts.inventory import ReleaseStock, ReserveStock
from orchestration.contracts.values import Line
from orchestration.participant.refusals import Refusal, VersionConflict

VERSIONED_TRIES = 3
"""After so many lost races the quantity predicate alone decides: PostgreSQL evaluates it again under the row lock."""


class OutOfStock(Refusal):
    """Not enough units are left."""

    code = "out_of_stock"


class UnknownSku(Refusal):
    """Inventory does not hold this SKU."""

    code = "unknown_sku"


def reserve_stock(request: ReserveStock) -> None:
    """Hold every line's units, or none.

    SKUs are taken in one order by all, so that crossing carts cannot deadlock.

    :raises OutOfStock: when one SKU has fewer units than wanted.
    :raises UnknownSku: when one SKU has no stock row.
    """
    needs = _units_by_sku(request.lines)
    rows = {row.sku: row for row in Stock.objects.filter(sku__in=needs)}
    for sku, wanted in needs.items():
        _check(rows.get(sku), sku, wanted)
    for sku, wanted in needs.items():
        _hold(rows[sku], wanted)
    Reservation.objects.bulk_create(
        Reservation(saga_id=request.saga_id, order_id=request.order_id, stock_id=sku, quantity=wanted)
        for sku, wanted in needs.items()
    )
    _record(Movement.Kind.RESERVED, needs, request.saga_id)


def release_stock(request: ReleaseStock) -> None:
    """Give back what this saga still holds, exactly."""
    held = Reservation.objects.filter(saga_id=request.saga_id, released_at=None)
    units = dict(held.order_by("stock_id").values_list("stock_id", "quantity"))
    for sku, quantity in sorted(units.items()):
        _change(Stock.objects.filter(sku=sku), reserved=F("reserved") - quantity)
    held.update(released_at=Now())
    _record(Movement.Kind.RELEASED, units, request.saga_id)


def receive_stock(*, units_by_sku: Mapping[str, int]) -> None:
    """Add delivered units, positive, to what is on hand; a new SKU gets its stock row."""
    units = dict(sorted(units_by_sku.items()))
    with transaction.atomic(using="inventory"):
        Stock.objects.bulk_create((Stock(sku=sku, on_hand=0) for sku in units), ignore_conflicts=True)
        for sku, quantity in units.items():
            _change(Stock.objects.filter(sku=sku), on_hand=F("on_hand") + quantity)
        _record(Movement.Kind.RECEIVED, units)


def top_up_stock(*, units_by_sku: Mapping[str, int]) -> None:
    """Receive what is missing until at least so many units of each SKU can be bought."""
    available = available_units(units_by_sku)
    missing = {sku: units - available.get(sku, 0) for sku, units in units_by_sku.items()}
    receive_stock(units_by_sku={sku: units for sku, units in missing.items() if units > 0})


def _units_by_sku(lines: Iterable[Line]) -> dict[str, int]:
    """What an order needs of each SKU, in SKU order: the same SKU on two lines is one need."""
    needs: Counter[str] = Counter()
    for line in lines:
        needs[line.sku] += line.quantity
    return dict(sorted(needs.items()))


def _check(row: Stock | None, sku: str, wanted: int) -> None:
    if row is None:
        raise UnknownSku(sku=sku)
    if row.available < wanted:
        raise OutOfStock(sku=sku, wanted=wanted, available=row.available)


def _hold(row: Stock, wanted: int) -> None:
    """Reserve units of one SKU, last read as `row`.

    :raises VersionConflict: when units came back just after the last try found too few.
    """
    for _ in range(VERSIONED_TRIES):
        if _take(Stock.objects.filter(sku=row.sku, version=row.version), wanted):
            return
        row = _read_again(row.sku, wanted)
    if not _take(Stock.objects.filter(sku=row.sku), wanted):
        _read_again(row.sku, wanted)
        raise VersionConflict(row.sku)


def _read_again(sku: str, wanted: int) -> Stock:
    """:raises OutOfStock: when too few are left by now."""
    row = Stock.objects.get(sku=sku)
    _check(row, sku, wanted)
    return row


def _take(stock: QuerySet[Stock], wanted: int) -> bool:
    enough = stock.filter(reserved__lte=F("on_hand") - wanted)
    return _change(enough, reserved=F("reserved") + wanted) == 1


def _change(stock: QuerySet[Stock], **changes: Any) -> int:
    return stock.update(version=F("version") + 1, **changes)


def _record(kind: Movement.Kind, units: Mapping[str, int], saga_id: UUID | None = None) -> None:
    Movement.objects.bulk_create(
        Movement(stock_id=sku, kind=kind, quantity=quantity, saga_id=saga_id) for sku, quantity in units.items()
    )
