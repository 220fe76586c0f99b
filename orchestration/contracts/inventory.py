"""Requests to inventory, its answers and commands."""

from dataclasses import dataclass
from uuid import UUID

from orchestration.contracts.command import Action, Compensation, Query
from orchestration.contracts.order_changes import ORDER
from orchestration.contracts.values import Line, SkuQuantity


@dataclass(frozen=True)
class ReserveStock:
    saga_id: UUID
    order_id: UUID
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class ReleaseStock:
    saga_id: UUID
    order_id: UUID


reserve_stock = Action("inventory.reserve_stock", request=ReserveStock)
release_stock = Compensation("inventory.release_stock", request=ReleaseStock, undoes=reserve_stock)


@dataclass(frozen=True)
class ReleaseLeftoverHold:
    """Release what the compensated saga `repaired_saga_id` still holds."""

    saga_id: UUID
    repaired_saga_id: UUID


@dataclass(frozen=True)
class RecountReserved:
    """Set `reserved` of a SKU to the sum of its live reservations."""

    saga_id: UUID
    sku: str


release_leftover_hold = Action("inventory.release_leftover_hold", request=ReleaseLeftoverHold)
recount_reserved = Action("inventory.recount_reserved", request=RecountReserved)

available_units = Query("inventory.available_units")
"""(skus: iterable of str) -> dict of SKU to units that a buyer can order now; unknown SKUs are absent."""


@dataclass(frozen=True)
class ConsumeUnits:
    """These units, reserved by the saga `checkout_id`, have left the warehouse."""

    saga_id: UUID
    order_id: UUID
    order_fence: int
    checkout_id: UUID
    change_lines: tuple[SkuQuantity, ...]


@dataclass(frozen=True)
class ReleaseUnits:
    """Release the units that the saga `checkout_id` has reserved for its order and that have not left."""

    saga_id: UUID
    order_id: UUID
    order_fence: int
    checkout_id: UUID


@dataclass(frozen=True)
class TakeBack:
    """These units of the order are back in the warehouse and can be sold again."""

    saga_id: UUID
    order_id: UUID
    order_fence: int
    checkout_id: UUID
    change_lines: tuple[SkuQuantity, ...]


consume_units = Action("inventory.consume_units", request=ConsumeUnits, under=ORDER)
release_units = Action("inventory.release_units", request=ReleaseUnits, under=ORDER)
take_back = Action("inventory.take_back", request=TakeBack, under=ORDER)
