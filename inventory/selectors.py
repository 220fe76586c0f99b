"""Reads of the inventory service."""

from collections.abc import Iterable

from inventory.models import Stock
from orchestration.db.sql import as_array, find_all


def available_units(skus: Iterable[str]) -> dict[str, int]:
    """Units a buyer may have now, by SKU; unknown SKUs are absent."""
    return {sku: row.available for sku, row in stock_rows(skus).items()}


def stock_rows(skus: Iterable[str], *, lock: bool = False) -> dict[str, Stock]:
    """What is held of these SKUs, in SKU order; unknown ones are absent.

    With `lock`, in a transaction, nobody else changes them until it ends; in SKU order, that cannot deadlock.
    """
    where = "sku = ANY(%s::text[]) ORDER BY sku" + (" FOR UPDATE" if lock else "")
    return {row.sku: row for row in find_all(Stock, "inventory", where, as_array(skus))}
