"""Reads and checks the uses of coupons for an audit."""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from uuid import UUID

from django.db.models import Count

from orchestration.contracts.audit import Checked, CouponFacts, StepEffect
from orchestration.contracts.coupons import redeem_coupon
from orchestration.participant.audit import BATCH, AuditedRows
from orchestration.participant.selection import Selection
from orders.models import Coupon, CouponUse


def read_coupon_uses(chosen: Selection) -> dict[UUID, CouponFacts]:
    """Return uses of coupons, by saga."""
    rows = CouponUse.objects.filter(chosen.sagas()).order_by("pk").values_list("pk", "order_id", "coupon_id", "state")
    return {
        saga_id: CouponFacts(order_id, code, state == CouponUse.State.RETURNED)
        for saga_id, order_id, code, state in rows.iterator(BATCH)
    }


def effect_of_use(use: CouponFacts) -> StepEffect:
    """Return the effect of using a coupon. A use that is given back after the order stays an effect of its checkout."""
    return StepEffect.REVERSED if use.was_returned else StepEffect.LIVE


def use_lacking(use: CouponFacts | None, ordered: Mapping[str, int]) -> str:
    """Return what a completed checkout with a coupon lacks."""
    return "its coupon is not used" if use is None or use.was_returned else ""


def leftover_use(use: CouponFacts) -> str:
    """Return what a compensated checkout has left behind."""
    return "" if use.was_returned else "its coupon is still used"


def check_coupons() -> Iterator[Checked]:
    """Check C1 of every coupon."""
    used = CouponUse.objects.filter(state=CouponUse.State.USED).order_by().values_list("coupon_id")
    counted: dict[str, int] = dict(used.annotate(Count("pk")))
    for code, said in Coupon.objects.order_by("code").values_list("code", "used").iterator(BATCH):
        live = counted.get(code, 0)
        fault = f"Coupon {code} was used {said} times, and has {live} live uses."
        yield Checked("C1", () if live == said else (fault,), {"coupon": code})


coupon_rows = AuditedRows(
    facts=CouponFacts,
    kind="coupon use",
    action=redeem_coupon,
    read=read_coupon_uses,
    effect=effect_of_use,
    order_of=attrgetter("order_id"),
    lacks=use_lacking,
    leftover=leftover_use,
)
