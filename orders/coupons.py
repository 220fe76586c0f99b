"""Coupons: what one takes off a cart, and its uses.

A use is an escrow: `used` grows while it is below `uses`, so sagas never wait for each other. Only a coupon for one use
per customer takes a lock: a second checkout of that customer has to know how the first one ends.
"""

from datetime import datetime
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from orchestration.contracts.coupons import ClaimCoupon, DropClaim, RedeemCoupon, ReleaseCoupon, ReturnCoupon
from orchestration.participant.refusals import Refusal
from orders.models import Coupon, CouponUse, Order


class UnknownCoupon(Refusal):
    """There is no such coupon."""

    code = "unknown_coupon"


class CouponExpired(Refusal):
    """This coupon has expired."""

    code = "expired"


class CouponUsedUp(Refusal):
    """This coupon was used as often as it can be."""

    code = "used_up"


class CouponAlreadyUsed(Refusal):
    """You have used this coupon already."""

    code = "already_used"


class CouponOfOtherCurrency(Refusal):
    """This coupon is an amount in another currency."""

    code = "currency_mismatch"


def discount_minor(coupon: Coupon, total_minor: int) -> int:
    """Return what the coupon takes off this total, in minor units.

    A percentage is rounded down to whole minor units. An amount takes off the whole total at most.
    """
    if coupon.kind == Coupon.Kind.PERCENT:
        return total_minor * coupon.value // 100
    return min(coupon.value, total_minor)


def usable_coupon(code: str, *, customer_id: str, currency: str, now: datetime) -> Coupon:
    """Return the coupon, if the customer can use it now for a cart in this currency. The saga checks it again.

    :raises Refusal: one of this module.
    """
    coupon = Coupon.objects.filter(code=code).first()
    if coupon is None:
        raise UnknownCoupon(coupon=code)
    if why_not := _why_not(coupon, now):
        raise why_not
    if coupon.kind == Coupon.Kind.AMOUNT and coupon.currency != currency:
        raise CouponOfOtherCurrency(currency=coupon.currency)
    if coupon.once_per_customer and _placed_with(code, customer_id):
        raise CouponAlreadyUsed
    return coupon


def claim_coupon(request: ClaimCoupon) -> None:
    """Check, under the lock, that the customer has no use of the coupon.

    :raises CouponAlreadyUsed: when the customer has one.
    """
    if _uses(request.coupon, request.customer_id).exists():
        raise CouponAlreadyUsed


def drop_claim(request: DropClaim) -> None:
    """Do nothing: the kit releases the lock."""


def release_coupon(request: ReleaseCoupon) -> None:
    """Do nothing: the kit releases the lock."""


def redeem_coupon(request: RedeemCoupon) -> None:
    """Use the coupon once.

    :raises Refusal: `UnknownCoupon`, `CouponExpired` or `CouponUsedUp`.
    """
    coupon = Coupon.objects.filter(code=request.coupon).first()
    if coupon is None:
        raise UnknownCoupon(coupon=request.coupon)
    CouponUse.objects.create(
        saga_id=request.saga_id,
        coupon=coupon,
        customer_id=request.customer_id,
        order_id=request.order_id,
        once=coupon.once_per_customer,
    )
    valid = Q(expires_at=None) | Q(expires_at__gt=request.placed_at)
    left = Coupon.objects.filter(valid, code=request.coupon, used__lt=F("uses"))
    if not left.update(used=F("used") + 1):  # last, so that the hot row is locked briefly
        coupon.refresh_from_db()
        raise _why_not(coupon, request.placed_at) or CouponUsedUp


def already_used(request: RedeemCoupon) -> Refusal | None:
    """Return the refusal of a second use of a coupon for one use per customer. The lock was broken."""
    others = _uses(request.coupon, request.customer_id).exclude(saga_id=request.saga_id)
    return CouponAlreadyUsed() if others.exists() else None


def return_coupon(request: ReturnCoupon) -> None:
    """Return the use of a checkout that is undone."""
    _return_use(request.saga_id, CouponUse.State.RETURNED)


def give_back_use(checkout_id: UUID) -> None:
    """Give back the use of an order that is cancelled as a whole. Do nothing if it used no coupon."""
    _return_use(checkout_id, CouponUse.State.GIVEN_BACK)


def _return_use(saga_id: UUID, state: CouponUse.State) -> None:
    used = CouponUse.objects.filter(saga_id=saga_id, state=CouponUse.State.USED)
    code = used.values_list("coupon_id", flat=True).first()
    if used.update(state=state, changed_at=Now()):
        Coupon.objects.filter(code=code).update(used=F("used") - 1)


def _why_not(coupon: Coupon, at: datetime) -> Refusal | None:
    if coupon.expires_at is not None and coupon.expires_at <= at:
        return CouponExpired(expired_at=coupon.expires_at.isoformat())
    return CouponUsedUp() if coupon.used >= coupon.uses else None


def _uses(code: str, customer_id: str) -> QuerySet[CouponUse]:
    return CouponUse.objects.filter(coupon_id=code, customer_id=customer_id, state=CouponUse.State.USED)


def _placed_with(code: str, customer_id: str) -> bool:
    """Return whether an order of the customer was placed with the coupon. A use may still be returned until then."""
    sagas = _uses(code, customer_id).values("saga_id")
    return Order.objects.filter(saga_id__in=sagas).exists()
