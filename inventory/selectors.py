"""Reads of the inventory service."""

from collections.abc import Iterable

from inventory.models import Stock
from orchestration.statements import find_all


def available_units(skus: Iterable[str]) -> dict[str, int]:
    """Units a buyer may have now, by SKU; unknown SKUs are absent."""
    rows = Stock.objects.filter(sku__in=set(skus)).values_list("sku", "on_hand", "reserved")
    return {sku: on_hand - reserved for sku, on_hand, reserved in rows}


def stock_rows(skus: Iterable[str], *, lock: bool = False) -> dict[str, Stock]:
    """What is held of these SKUs, in SKU order; unknown ones are absent.

    With `lock`, in a transaction, nobody else changes them until it ends; in SKU order, that cannot deadlock.
    """
    where = "sku = ANY(%s::text[]) ORDER BY sku" + (" FOR UPDATE" if lock else "")
    return {row.sku: row for row in find_all(Stock, "inventory", where, list(skus))}
