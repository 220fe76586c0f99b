"""The request of a checkout, and requests to orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestration.contracts.command import Action
from orchestration.contracts.values import Address, Encrypted, Line


@dataclass(frozen=True)
class CheckoutRequested:
    """A priced cart. Amounts are minor units of `currency` (ISO 4217).

    `total_minor` is what is to be paid: the sum of the lines less `discount_minor`, which the coupon takes off. Store
    credit pays `credit_minor` of it, and the card the rest. `coupon_key` is set if the coupon is for one use per
    customer. `ships`: the order needs a parcel. `payment_method` is given if the card pays, and `shipping_address` if
    the order ships.
    """

    order_id: UUID
    customer_id: str
    idempotency_key: str
    lines: tuple[Line, ...]
    total_minor: int
    currency: str
    placed_at: datetime
    payment_method: Encrypted | None = None
    shipping_address: Address | None = None
    coupon: str = ""
    coupon_key: str = ""
    discount_minor: int = 0
    credit_minor: int = 0
    ships: bool = True


@dataclass(frozen=True)
class CheckoutRequestedV1:
    """The request of `checkout.v1`: a cart that is shipped, and whose sum the card pays."""

    order_id: UUID
    customer_id: str
    idempotency_key: str
    lines: tuple[Line, ...]
    total_minor: int
    currency: str
    payment_method: Encrypted
    shipping_address: Address
    placed_at: datetime


CHECKOUTS = (CheckoutRequested, CheckoutRequestedV1)
"""The requests of checkouts, of every version of the definition."""


def card_minor(request: Mapping[str, Any]) -> int:
    """Return what the card has to pay of a checkout, given its encoded request."""
    return int(request["total_minor"] - request.get("credit_minor", 0))


@dataclass(frozen=True)
class PlaceOrder:
    saga_id: UUID
    order_id: UUID
    customer_id: str
    idempotency_key: str
    lines: tuple[Line, ...]
    total_minor: int
    currency: str
    placed_at: datetime
    shipping_address: Address | None = None
    authorisation_id: str = ""
    tracking_number: str = ""
    coupon: str = ""
    discount_minor: int = 0
    credit_minor: int = 0


place_order = Action("orders.place_order", request=PlaceOrder)


@dataclass(frozen=True)
class ConfirmNoOrder:
    """Confirm that the saga `repaired_saga_id` has no order, so that what it left behind may be reversed."""

    saga_id: UUID
    repaired_saga_id: UUID


confirm_no_order = Action("orders.confirm_no_order", request=ConfirmNoOrder)
