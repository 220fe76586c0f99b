"""Coupons, and requests to use them."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from orchestration.contracts.coupons import ClaimCoupon, RedeemCoupon, coupon_key
from orders.models import Coupon

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def coupon(code: str = "SPRING", **fields: Any) -> Coupon:
    """Create a coupon, by default one of ten percent for five uses."""
    return Coupon.objects.create(**{"code": code, "kind": "percent", "value": 10, "uses": 5} | fields)


def redeeming(code: str = "SPRING", *, customer_id: str = "7", **fields: Any) -> RedeemCoupon:
    """Return a request to use the coupon."""
    ids = {"saga_id": uuid4(), "order_id": uuid4()}
    return RedeemCoupon(**ids | {"customer_id": customer_id, "coupon": code, "placed_at": NOON} | fields)  # type: ignore[arg-type]


def claiming(code: str = "SPRING", *, customer_id: str = "7") -> ClaimCoupon:
    """Return a request to claim the coupon for the customer."""
    return ClaimCoupon(uuid4(), code, coupon_key(code, customer_id), customer_id)
