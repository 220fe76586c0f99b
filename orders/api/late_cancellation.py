"""Cancels the order of a checkout that has placed it."""

from datetime import datetime
from uuid import UUID

from orchestration.contracts.order_changes import ChangeKind
from orchestration.db import clocks
from orchestration.engine import selectors
from orchestration.protocol.states import UNDOING
from orchestration.sagas.cancel_order import cancel_order
from orders.api.access import CUSTOMER, Access, NoSuchOrder
from orders.api.change_bodies import ChangeAsked
from orders.api.change_start import ChangeAttempt, start_change
from orders.models import OrderChange
from orders.selectors import changes_of, order_with_lines


def cancel_placed_order(order_id: UUID, *, now: datetime) -> UUID:
    """Start a cancellation of the order for its customer, or find the newest one unless it has failed.

    Requests at the same moment start one cancellation: its key names the failed one before it.

    :raises Problem: when the order does not allow it, such as `already_dispatched`.
    """
    newest = selectors.sagas_of_order(order_id, [cancel_order.name]).first()
    if newest and newest.phase not in UNDOING:
        return newest.pk
    if closed := changes_of(order_id).filter(kind=ChangeKind.CANCEL, state=OrderChange.State.CLOSED).first():
        return closed.pk
    order = order_with_lines(order_id)
    if order is None:
        raise NoSuchOrder
    key = f"after {newest.pk if newest else order.saga_id}"
    attempt = ChangeAttempt(ChangeKind.CANCEL, Access(order, CUSTOMER), clocks.new_id(now), key, request_hash=key)
    return start_change(attempt, lambda: ChangeAsked(ChangeKind.CANCEL), now=now).id
