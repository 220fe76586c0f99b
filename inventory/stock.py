"""The writes of stock rows. Each increments the row's version."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import BigIntegerField, F, Q

from orchestration.db.bulk_update import UpdateEach, each_own
from orchestration.db.transactions import VersionConflict

if TYPE_CHECKING:
    from inventory.models import Stock

_units = each_own("units", by="sku", kind=BigIntegerField())
_version_read = each_own("version", by="sku", kind=BigIntegerField())
_next_version = F("version") + 1

_reserve = UpdateEach(
    "inventory.Stock",
    by="sku",
    where=Q(version=_version_read),
    reserved=F("reserved") + _units,
    version=_next_version,
)
_release = UpdateEach("inventory.Stock", by="sku", reserved=F("reserved") - _units, version=_next_version)
_consume = UpdateEach(
    "inventory.Stock", by="sku", reserved=F("reserved") - _units, on_hand=F("on_hand") - _units, version=_next_version
)
_take_back = UpdateEach("inventory.Stock", by="sku", on_hand=F("on_hand") + _units, version=_next_version)


class StockWrites(models.Manager["Stock"]):
    """`Stock.objects`. Units are given by SKU and are positive; rows are changed in SKU order."""

    def reserve(self, units_by_sku: Mapping[str, int], *, read: Mapping[str, "Stock"]) -> None:
        """Reserve these units, if every row still has the version that was read.

        :raises VersionConflict: when another transaction has changed one of the rows since.
        """
        own = {sku: {"units": units, "version": read[sku].version} for sku, units in units_by_sku.items()}
        if _reserve(own) != len(own):
            raise VersionConflict(", ".join(own))

    def release(self, units_by_sku: Mapping[str, int]) -> None:
        """Release these reserved units."""
        _release({sku: {"units": units} for sku, units in units_by_sku.items()})

    def consume(self, units_by_sku: Mapping[str, int]) -> None:
        """Take these reserved units out of the warehouse."""
        _consume({sku: {"units": units} for sku, units in units_by_sku.items()})

    def take_back(self, units_by_sku: Mapping[str, int]) -> None:
        """Add returned units to the units on hand."""
        _take_back({sku: {"units": units} for sku, units in units_by_sku.items()})

    def receive(self, units_by_sku: Mapping[str, int]) -> None:
        """Add delivered units to the units on hand. A new SKU gets a stock row."""
        self._create_missing(units_by_sku)
        for sku, units in units_by_sku.items():
            self.filter(sku=sku).update(on_hand=F("on_hand") + units, version=_next_version)

    def recount(self, sku: str, *, reserved: int) -> None:
        """Set the reserved units of one SKU."""
        self.filter(sku=sku).update(reserved=reserved, version=_next_version)

    def _create_missing(self, skus: Iterable[str]) -> None:
        self.bulk_create((self.model(sku=sku, on_hand=0) for sku in skus), ignore_conflicts=True)
