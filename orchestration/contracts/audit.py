"""What services, gateways and carriers tell an audit about each saga."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class StepEffect(StrEnum):
    """What a step has brought about."""

    NONE = "no effect"
    LIVE = "an effect"
    REVERSED = "an effect that was reversed"
    MIXED = "an effect that was partly reversed"


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was checked against an invariant: the sentences say what violates it, `ids` what it is about.

    `ids` are by what they are ids of, such as "saga" or "sku".
    """

    invariant: str
    faults: tuple[str, ...]
    ids: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class HoldingFacts:
    """Units by SKU that one saga holds (`live`) and has held (`released`), and what is wrong with their movements."""

    live: Mapping[str, int]
    released: Mapping[str, int]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """One confirmed order; `lines_minor` is the sum of its lines, None when it has none."""

    id: UUID
    customer_id: str
    idempotency_key: str
    total_minor: int
    currency: str
    authorisation_id: str
    tracking_number: str
    lines_minor: int | None


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """One saga's payment. Money that `was_captured` may have been refunded since: `is_reversed` is voided or refunded.

    `is_at_the_gateway` is False for a free order, which the gateway does not know.
    """

    order_id: UUID
    status: str
    currency: str
    amount_minor: int
    authorisation_id: str
    capture_id: str | None
    refund_id: str | None
    was_captured: bool
    is_reversed: bool
    is_at_the_gateway: bool


@dataclass(frozen=True, slots=True)
class ShipmentFacts:
    """One saga's parcel, as shipping knows it; `is_live`: it is booked and not cancelled."""

    order_id: UUID
    status: str
    tracking_number: str
    is_live: bool


class MadeOutside(Protocol):
    """What a gateway or carrier has made for an order (its `reference`) under idempotency keys."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key used on it; the first is the one that made it."""

    @property
    def reference(self) -> str: ...


@dataclass(frozen=True, slots=True)
class GatewayAccount:
    """One authorisation at the gateway and what was done with it; `status` as `PaymentFacts` have it.

    Not `arrived`: the gateway will receive the call later.
    """

    authorisation_id: str
    keys: tuple[str, ...]
    reference: str
    status: str
    currency: str
    amount_minor: int
    declined: bool = False
    captured_minor: int = 0
    refunded_minor: int = 0
    voided: bool = False
    capture_id: str | None = None
    refund_id: str | None = None
    arrived: bool = True

    @property
    def is_open(self) -> bool:
        """Whether money is held, or will be."""
        return not (self.declined or self.voided or self.capture_id)

    @property
    def net_minor(self) -> int:
        return self.captured_minor - self.refunded_minor


@dataclass(frozen=True, slots=True)
class CarrierParcel:
    """One booking at the carrier and its state; no tracking number: the carrier will receive the call later."""

    tracking_number: str
    keys: tuple[str, ...]
    reference: str
    refused: bool = False
    cancelled: bool = False

    @property
    def is_live(self) -> bool:
        """Whether it will be carried."""
        return not (self.refused or self.cancelled)
