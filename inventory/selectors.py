"""Reads of the inventory service."""

from collections.abc import Iterable

from inventory.models import Stock
from orchestration.db.sql import as_array, find_all


def available_units(skus: Iterable[str]) -> dict[str, int]:
    """Return the units a buyer may have now, by SKU. Unknown SKUs are absent."""
    return {sku: row.available for sku, row in stock_rows(skus).items()}


def stock_rows(skus: Iterable[str], *, lock: bool = False) -> dict[str, Stock]:
    """Return the stock rows of these SKUs, in SKU order. Unknown SKUs are absent.

    With `lock`, inside a transaction, no other transaction can change them until it ends. Locks are taken in SKU order,
    so they cannot deadlock.
    """
    where = "sku = ANY(%s::text[]) ORDER BY sku" + (" FOR UPDATE" if lock else "")
    return {row.sku: row for row in find_all(Stock, "inventory", where, as_array(skus))}
