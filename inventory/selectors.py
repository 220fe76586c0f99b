"""Reads of the inventory service."""

from collections.abc import Iterable

from inventory.models import Stock


def available_units(skus: Iterable[str]) -> dict[str, int]:
    """Units a buyer may have now, by SKU; unknown SKUs are absent."""
    rows = Stock.objects.filter(sku__in=set(skus)).values_list("sku", "on_hand", "reserved")
    return {sku: on_hand - reserved for sku, on_hand, reserved in rows}
