"""Requests to orders about coupons. A use of a coupon is an escrow. A coupon for one use per customer takes a lock."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from orchestration.contracts.command import Action, Compensation, Lock

COUPON = Lock("coupon", by="coupon_key")


def coupon_key(coupon: str, customer_id: str) -> str:
    """Return the key of the lock on a customer's use of a coupon."""
    return f"{coupon}/{customer_id}"


@dataclass(frozen=True)
class ClaimCoupon:
    """Keep other sagas from using the coupon for this customer, until this one has placed its order or is undone."""

    saga_id: UUID
    coupon: str
    coupon_key: str
    customer_id: str


@dataclass(frozen=True)
class DropClaim:
    saga_id: UUID
    coupon_key: str


@dataclass(frozen=True)
class RedeemCoupon:
    """Use the coupon once. Whether it has expired is decided by `placed_at`, the time of the customer's request."""

    saga_id: UUID
    order_id: UUID
    customer_id: str
    coupon: str
    placed_at: datetime


@dataclass(frozen=True)
class ReturnCoupon:
    saga_id: UUID
    coupon: str


@dataclass(frozen=True)
class ReleaseCoupon:
    saga_id: UUID
    coupon_key: str


claim_coupon = Action("orders.claim_coupon", request=ClaimCoupon, holds=COUPON)
drop_claim = Compensation("orders.drop_claim", request=DropClaim, undoes=claim_coupon)
redeem_coupon = Action("orders.redeem_coupon", request=RedeemCoupon)
return_coupon = Compensation("orders.return_coupon", request=ReturnCoupon, undoes=redeem_coupon)
release_coupon = Action("orders.release_coupon", request=ReleaseCoupon, releases=COUPON)
