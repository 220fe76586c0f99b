"""Changes of placed orders: opens, approves, drops and closes them, under the lock on the order."""

from dataclasses import asdict
from uuid import UUID

from django.db.models import Prefetch
from django.db.models.functions import Now

from orchestration.contracts.order_changes import (
    ApproveRefund,
    ChangeKind,
    ChangeOpened,
    CloseChange,
    DropChange,
    OpenChange,
)
from orchestration.contracts.values import SkuQuantity
from orchestration.db.sql import execute
from orchestration.participant.refusals import Refusal
from orders.change_rules import Moves, PlannedChange, allocate, check_return, plan_change, status_of, to_return
from orders.coupons import give_back_use
from orders.models import Order, OrderChange, OrderLine, ReturnRequest
from orders.selectors import return_request

COUNTED = {ChangeKind.DISPATCH: "dispatched", ChangeKind.RETURN: "returned"}
"""The field of an order line in which a change counts its units."""


class UnknownOrder(Refusal):
    """There is no such order."""

    code = "unknown_order"


class ChangeSuperseded(Refusal):
    """Another change of the order has got the lock."""

    code = "change_superseded"


def open_change(request: OpenChange) -> ChangeOpened:
    """Record the change, and set aside in the order what it moves and gives back.

    An open change with a lower fencing token has lost the lock, because an operator broke it: it is superseded.

    :raises Refusal: when the order does not allow the change.
    """
    order = _locked_order(request.order_id)
    if order is None:
        raise UnknownOrder
    if request.return_id:
        [(now,)] = execute("orders", "SELECT now()")  # the clock of this host may be wrong
        check_return(return_request(request.return_id), order, now)
    planned = plan_change(order, request.kind, request.lines, request.amount_minor)
    order.changes.filter(state=OrderChange.State.OPEN, fence__lt=request.fence).update(
        state=OrderChange.State.SUPERSEDED
    )
    OrderChange.objects.create(
        id=request.saga_id,
        order=order,
        kind=request.kind,
        lines=[asdict(line) for line in planned.lines],
        amount_minor=planned.refund_minor,
        fence=request.fence,
        requested_by=request.requested_by,
        reason=request.reason,
        return_request_id=request.return_id,
    )
    _set_aside(order, request.kind, planned, 1)
    return ChangeOpened(request.fence, planned.lines, planned.refund_minor)


def approve_refund(request: ApproveRefund) -> None:
    """Check that the change is still open. The ledger row of this step is the decision that the money goes back.

    :raises ChangeSuperseded: when the change has lost the lock.
    """
    if not OrderChange.objects.filter(id=request.saga_id, state=OrderChange.State.OPEN).exists():
        raise ChangeSuperseded


def drop_change(request: DropChange) -> None:
    """Drop the change: the order gets back what was set aside for it."""
    order, change = _locked_change(request)
    kind = ChangeKind(change.kind)
    moves: Moves = ()
    if kind in COUNTED:
        units = [SkuQuantity(**line) for line in change.lines]
        moves = allocate(units, reversed(order.lines.all()), to_return if kind == ChangeKind.DISPATCH else _returned)
    _set_aside(order, kind, PlannedChange(moves, change.amount_minor), -1)
    _end(order, change, OrderChange.State.DROPPED)


def close_change(request: CloseChange) -> None:
    """Close the change. A cancelled order gets that status, and its coupon can be used once more. The return request
    that the change fulfils is received.
    """
    order, change = _locked_change(request)
    if change.kind == ChangeKind.CANCEL:
        order.status = Order.Status.CANCELLED
        give_back_use(order.saga_id)
    if change.return_request_id:
        ReturnRequest.objects.filter(id=change.return_request_id).update(state=ReturnRequest.State.RECEIVED)
    _end(order, change, OrderChange.State.CLOSED)


def _locked_order(order_id: UUID) -> Order | None:
    """Lock the order, and return it with its lines. The lock on the order may have been broken, so it is not enough."""
    lines = Prefetch("lines", OrderLine.objects.order_by("position"))
    return Order.objects.using("orders").select_for_update().filter(id=order_id).prefetch_related(lines).first()


def _locked_change(request: DropChange | CloseChange) -> tuple[Order, OrderChange]:
    order = _locked_order(request.order_id)
    if order is None:
        raise Order.DoesNotExist
    return order, order.changes.get(id=request.saga_id)


def _set_aside(order: Order, kind: ChangeKind, planned: PlannedChange, sign: int) -> None:
    """Count the change in the order and its lines. `sign`: 1 to add it, -1 to subtract it."""
    if counted := COUNTED.get(kind):
        for line, quantity in planned.moves:
            setattr(line, counted, getattr(line, counted) + sign * quantity)
        OrderLine.objects.bulk_update([line for line, _ in planned.moves], [counted])
    if planned.refund_minor:
        order.refunded_minor += sign * planned.refund_minor
        order.save(update_fields=["refunded_minor"])


def _returned(line: OrderLine) -> int:
    return line.returned


def _end(order: Order, change: OrderChange, state: OrderChange.State) -> None:
    """Record how the change ended, and the status of the order that follows from its lines unless it is cancelled."""
    if order.status != Order.Status.CANCELLED:
        order.status = status_of(order.lines.all())
    order.save(update_fields=["status"])
    change.state, change.ended_at = state, Now()
    change.save(update_fields=["state", "ended_at"])
