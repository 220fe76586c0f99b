"""What a repair is asked for: the drift that an audit has found, or what a settlement outside leaves behind."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class LeftoverFound:
    """A saga is compensated and has left something behind; `total_minor` and `currency` are what it was to cost."""

    repaired_saga_id: UUID
    repaired_order_id: UUID
    total_minor: int
    currency: str


@dataclass(frozen=True)
class HoldSettled:
    """A person has settled this saga's capture outside, and its order's total is still on hold."""

    repaired_saga_id: UUID
    repaired_order_id: UUID
    total_minor: int
    currency: str


@dataclass(frozen=True)
class MiscountFound:
    """`reserved` of this SKU is not what live reservations add up to."""

    sku: str
