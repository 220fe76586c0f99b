"""Reads the orders service for an audit: orders and their changes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, Sum

from orchestration.contracts.audit import ChangeFacts, Checked, OrderFacts, StepEffect
from orchestration.contracts.order_changes import ChangeKind, close_change, open_change
from orchestration.contracts.orders import place_order
from orchestration.participant.audit import BATCH, AuditedRows, ServiceAudit
from orchestration.participant.selection import Selection, of_no_saga
from orchestration.text.formatting import money
from orders.change_rules import status_of
from orders.coupon_audit import check_coupons, coupon_rows
from orders.models import Order, OrderChange, OrderLine

COLUMNS = (
    "saga_id",
    "id",
    "customer_id",
    "idempotency_key",
    "total_minor",
    "currency",
    "authorisation_id",
    "tracking_number",
    "lines_minor",
    "status",
    "discount_minor",
    "credit_minor",
)
State = OrderChange.State
Faults = Mapping[str, tuple[str, ...]]


def read_orders(chosen: Selection) -> dict[UUID, OrderFacts]:
    """Return orders, by saga."""
    lines_minor = Sum(F("lines__quantity") * F("lines__unit_price_minor"))
    placed = Order.objects.filter(chosen.sagas()).order_by("id").annotate(lines_minor=lines_minor)
    changed = {order.saga_id: _of_changes(order) for order in _changed(chosen)}
    rows = placed.values_list(*COLUMNS).iterator(BATCH)
    return {saga_id: OrderFacts(*row, *changed.get(saga_id, ())) for saga_id, *row in rows}


def read_changes(chosen: Selection) -> dict[UUID, ChangeFacts]:
    """Return changes of orders, by their own sagas."""
    rows = OrderChange.objects.filter(chosen.sagas("id")).order_by("id")
    found = rows.values_list("id", "order_id", "kind", "state").iterator(BATCH)
    return {saga_id: ChangeFacts(order_id, kind, state) for saga_id, order_id, kind, state in found}


def effect_of(order: OrderFacts) -> StepEffect:
    """Return the effect of placing the order. An order is never taken back: a change may cancel it."""
    return StepEffect.LIVE


def lacks(order: OrderFacts | None, ordered: Mapping[str, int]) -> str:
    """Return what a completed checkout lacks."""
    return "" if order else "there is no order"


def leftover(order: OrderFacts) -> str:
    """Return what a compensated checkout has left behind."""
    return "there is an order"


def check_orders(orders: Mapping[UUID, OrderFacts]) -> Iterator[Checked]:
    """Check R1 and R7 of every order."""
    for saga_id, order in orders.items():
        for invariant in ("R1", "R7"):
            ids = {"saga": saga_id, "order": order.id}
            yield Checked(invariant, order.change_faults.get(invariant, ()), ids)


def effect_of_opening(change: ChangeFacts) -> StepEffect:
    """Return the effect of opening the change."""
    return StepEffect.REVERSED if change.state == State.DROPPED else StepEffect.LIVE


def effect_of_closing(change: ChangeFacts, is_repaired: bool) -> StepEffect:
    """Return the effect of closing the change."""
    return StepEffect.LIVE if change.state == State.CLOSED else StepEffect.NONE


def worth(left_out: Sequence[Selection]) -> Counter[str]:
    """Return what orders cost less what closed changes gave back, in minor units by currency.

    Orders and changes of sagas `left_out` do not count.
    """
    orders = Order.objects.filter(of_no_saga(left_out, "saga_id")).order_by().values_list("currency")
    counted = of_no_saga(left_out, "id", "order__saga_id")
    changes = OrderChange.objects.filter(counted, state=State.CLOSED).order_by().values_list("order__currency")
    sums = Counter(dict(orders.annotate(Sum("total_minor"))))
    sums.subtract(dict(changes.annotate(Sum("amount_minor"))))
    return sums


def _changed(chosen: Selection) -> Iterable[Order]:
    """Return the orders that changes have altered, with lines and changes."""
    order = OuterRef("pk")
    altered = Q(refunded_minor__gt=0) | ~Q(status=Order.Status.CONFIRMED)
    altered |= Q(Exists(OrderChange.objects.filter(order=order)))
    altered |= Q(Exists(OrderLine.objects.filter(order=order, dispatched__gt=0)))
    return Order.objects.filter(chosen.sagas(), altered).prefetch_related("lines", "changes").iterator(BATCH)


def _of_changes(order: Order) -> tuple[int, Faults, frozenset[UUID]]:
    """Return the money that closed changes gave back, how the order disagrees with its changes, and all their ids."""
    closed = sum(change.amount_minor for change in order.changes.all() if change.state == State.CLOSED)
    faults = {"R1": tuple(_money_faults(order)), "R7": tuple(_unit_faults(order))}
    return closed, faults, frozenset(change.id for change in order.changes.all())


def _money_faults(order: Order) -> Iterator[str]:
    changes = sum(change.amount_minor for change in order.changes.all() if change.state != State.DROPPED)
    said = partial(money, currency=order.currency)
    if order.refunded_minor != changes:
        yield f"The order counts {said(order.refunded_minor)} given back, its changes {said(changes)}."
    if changes > order.total_minor:
        yield f"Its changes give back {said(changes)} of an order of {said(order.total_minor)}."


def _unit_faults(order: Order) -> Iterator[str]:
    for kind, column in ((ChangeKind.DISPATCH, "dispatched"), (ChangeKind.RETURN, "returned")):
        counted, moved = Counter[str](), Counter[str]()
        for line in order.lines.all():
            counted[line.sku] += getattr(line, column)
        for change in order.changes.all():
            if change.kind == kind and change.state != State.DROPPED:
                moved.update({each["sku"]: each["quantity"] for each in change.lines})
        if +counted != moved:
            yield f"The order's lines count {counted.total()} units {column}, its changes {moved.total()}."
    if (expected := _expected_status(order)) not in (None, order.status):
        yield f"The order is {order.status}, and by its changes {expected}."


def _expected_status(order: Order) -> str | None:
    """Return the status that follows from the order's changes. None while one of them is under way."""
    if any(change.state in (State.OPEN, State.SUPERSEDED) for change in order.changes.all()):
        return None
    if any(change.kind == ChangeKind.CANCEL and change.state == State.CLOSED for change in order.changes.all()):
        return Order.Status.CANCELLED
    return status_of(order.lines.all())


audit = ServiceAudit(
    rows=(
        AuditedRows(
            facts=OrderFacts,
            kind="order",
            changes=attrgetter("changes"),
            action=place_order,
            read=read_orders,
            effect=effect_of,
            lacks=lacks,
            leftover=leftover,
            check=check_orders,
        ),
        AuditedRows(
            facts=ChangeFacts,
            kind="change of an order",
            action=open_change,
            read=read_changes,
            effect=effect_of_opening,
            later_effects={close_change: effect_of_closing},
            order_of=lambda change: change.order_id,
        ),
        coupon_rows,
    ),
    invariants={
        "R7": "an order's status and line counts are those of its changes",
        "C1": "a coupon was used as often as it has live uses",
    },
    check_everything=check_coupons,
    worth=worth,
)
