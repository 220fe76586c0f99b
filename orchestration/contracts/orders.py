"""The request of a checkout, and requests to orders."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from orchestration.contracts.command import Action
from orchestration.contracts.values import Address, Encrypted, Line


@dataclass(frozen=True)
class CheckoutRequested:
    """A priced cart: `total_minor` is the sum of the lines, in minor units of `currency` (ISO 4217)."""

    order_id: UUID
    customer_id: str
    idempotency_key: str
    lines: tuple[Line, ...]
    total_minor: int
    currency: str
    payment_method: Encrypted
    shipping_address: Address
    placed_at: datetime


@dataclass(frozen=True)
class PlaceOrder:
    saga_id: UUID
    order_id: UUID
    customer_id: str
    idempotency_key: str
    lines: tuple[Line, ...]
    total_minor: int
    currency: str
    shipping_address: Address
    placed_at: datetime
    authorisation_id: str
    tracking_number: str


place_order = Action("orders.place_order", request=PlaceOrder)


@dataclass(frozen=True)
class ConfirmNoOrder:
    """Confirm that the saga `repaired_saga_id` has no order, so that what it left behind may be reversed."""

    saga_id: UUID
    repaired_saga_id: UUID


confirm_no_order = Action("orders.confirm_no_order", request=ConfirmNoOrder)
