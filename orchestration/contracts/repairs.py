"""Requests of repairs: the drift that an audit found, or the hold that a manual settlement left."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class LeftoverFound:
    """A compensated saga has left something behind. `total_minor` of `currency` is what the card had to pay."""

    repaired_saga_id: UUID
    repaired_order_id: UUID
    total_minor: int
    currency: str


@dataclass(frozen=True)
class HoldSettled:
    """An operator has settled this saga's capture elsewhere, and its order's total is still on hold."""

    repaired_saga_id: UUID
    repaired_order_id: UUID
    total_minor: int
    currency: str


@dataclass(frozen=True)
class MiscountFound:
    """`reserved` of this SKU differs from the sum of its live reservations."""

    sku: str
