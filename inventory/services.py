"""Writes of the inventory service."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import BigIntegerField, F, Q, QuerySet
from django.db.models.functions import Now

from inventory.models import Movement, Reservation, Stock
from inventory.selectors import available_units, stock_rows
from orchestration.contracts.inventory import ReleaseStock, ReserveStock
from orchestration.contracts.values import Line, nfc
from orchestration.db.bulk_update import UpdateEach, each_own
from orchestration.db.sql import insert_all
from orchestration.db.transactions import VersionConflict
from orchestration.participant.refusals import Refusal

VERSIONED_TRIES = 2
"""After so many lost races the rows are locked before they are read: nobody can be faster then."""


@dataclass(frozen=True)
class Move:
    """Units of one SKU that change hands, for a saga if one asked."""

    sku: str
    quantity: int
    saga_id: UUID | None = None


class OutOfStock(Refusal):
    """Not enough units are left."""

    code = "out_of_stock"


class UnknownSku(Refusal):
    """Inventory does not hold this SKU."""

    code = "unknown_sku"


def reserve_stock(requests: Sequence[ReserveStock]) -> list[Refusal | None]:
    """Hold every line's units of a request, or none of it. Who comes first is served first.

    Gives for each request None, or why it cannot be: `OutOfStock` when one SKU has fewer units than wanted,
    `UnknownSku` when one has no stock row.
    """
    for _ in range(VERSIONED_TRIES):
        with suppress(VersionConflict), transaction.atomic(using="inventory"):
            return _reserve(requests)
    return _reserve(requests, lock=True)


def release_stock(requests: Sequence[ReleaseStock]) -> list[None]:
    """Give back what these sagas still hold, exactly."""
    release_holds({request.saga_id for request in requests})
    return [None for _ in requests]


def release_holds(saga_ids: Collection[UUID]) -> bool:
    """Give back what these sagas still hold; say whether they held anything."""
    held = Reservation.objects.filter(saga_id__in=saga_ids, released_at=None)
    moves = [Move(each.stock_id, each.quantity, each.saga_id) for each in held.order_by("stock_id", "saga_id")]
    _release({sku: {"units": units} for sku, units in _summed(moves).items()})
    held.update(released_at=Now())
    _record(Movement.Kind.RELEASED, moves)
    return bool(moves)


def receive_stock(*, units_by_sku: Mapping[str, int]) -> None:
    """Add delivered units, positive, to what is on hand; a new SKU gets its stock row."""
    units = _in_nfc(units_by_sku)
    with transaction.atomic(using="inventory"):
        Stock.objects.bulk_create((Stock(sku=sku, on_hand=0) for sku in units), ignore_conflicts=True)
        for sku, quantity in units.items():
            _change(Stock.objects.filter(sku=sku), on_hand=F("on_hand") + quantity)
        _record(Movement.Kind.RECEIVED, [Move(sku, quantity) for sku, quantity in units.items()])


def top_up_stock(*, units_by_sku: Mapping[str, int]) -> None:
    """Receive what is missing until at least so many units of each SKU can be bought."""
    wanted = _in_nfc(units_by_sku)
    available = available_units(wanted)
    missing = {sku: units - available.get(sku, 0) for sku, units in wanted.items()}
    receive_stock(units_by_sku={sku: units for sku, units in missing.items() if units > 0})


def _in_nfc(units_by_sku: Mapping[str, int]) -> dict[str, int]:
    """The same units, in SKU order: SKUs that differ in their Unicode form only are one."""
    units: Counter[str] = Counter()
    for sku, quantity in units_by_sku.items():
        units[nfc(sku)] += quantity
    return dict(sorted(units.items()))


def _units_by_sku(lines: Iterable[Line]) -> dict[str, int]:
    """What an order needs of each SKU, in SKU order: the same SKU on two lines is one need."""
    needs: Counter[str] = Counter()
    for line in lines:
        needs[nfc(line.sku)] += line.quantity
    return dict(sorted(needs.items()))


_units = each_own("units", by="sku", kind=BigIntegerField())
_version = each_own("version", by="sku", kind=BigIntegerField())
_grown = F("version") + 1

_take = UpdateEach(Stock, by="sku", where=Q(version=_version), reserved=F("reserved") + _units, version=_grown)
"""Promise units of each SKU whose version is still that one."""
_release = UpdateEach(Stock, by="sku", reserved=F("reserved") - _units, version=_grown)
"""Take the promise of units of each SKU back."""


def _reserve(requests: Sequence[ReserveStock], *, lock: bool = False) -> list[Refusal | None]:
    """Read the stock, decide, and take what is granted.

    :raises VersionConflict: when somebody else has changed one of the rows meanwhile.
    """
    needs = [_units_by_sku(request.lines) for request in requests]
    rows = stock_rows(set().union(*needs), lock=lock)
    left = {sku: row.available for sku, row in rows.items()}
    answers: list[Refusal | None] = []
    moves, reservations = [], []
    for request, units in zip(requests, needs, strict=True):
        answers.append(refusal := _why_not(units, left))
        if refusal is None:
            for sku, quantity in units.items():
                left[sku] -= quantity
                moves.append(Move(sku, quantity, request.saga_id))
                reservations.append(
                    Reservation(saga_id=request.saga_id, order_id=request.order_id, stock_id=sku, quantity=quantity)
                )
    taken = _summed(moves)
    if _take({sku: {"units": units, "version": rows[sku].version} for sku, units in taken.items()}) != len(taken):
        raise VersionConflict(", ".join(taken))
    insert_all(reservations, "inventory")
    _record(Movement.Kind.RESERVED, moves)
    return answers


def _why_not(units: Mapping[str, int], left: Mapping[str, int]) -> Refusal | None:
    for sku, wanted in units.items():
        if sku not in left:
            return UnknownSku(sku=sku)
        if left[sku] < wanted:
            return OutOfStock(sku=sku, wanted=wanted, available=left[sku])
    return None


def _summed(moves: Iterable[Move]) -> dict[str, int]:
    """Units by SKU, in SKU order."""
    units: Counter[str] = Counter()
    for move in moves:
        units[move.sku] += move.quantity
    return dict(sorted(units.items()))


def _change(stock: QuerySet[Stock], **changes: Any) -> int:
    return stock.update(version=_grown, **changes)


def _record(kind: Movement.Kind, moves: Iterable[Move]) -> None:
    rows = [Movement(stock_id=each.sku, kind=kind, quantity=each.quantity, saga_id=each.saga_id) for each in moves]
    insert_all(rows, "inventory")
