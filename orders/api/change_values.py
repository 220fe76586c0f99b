"""Changes of orders and return requests as plain values, in the shapes of their serializers."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from orders.api.access import CUSTOMER, Access
from orders.api.change_progress import PROCESSING, Change
from orders.api.change_start import AcceptedChange
from orders.api.checkout_values import as_steps, as_time
from orders.api.representations import amount
from orders.models import ReturnRequest

STAFF = "staff"
"""How customers see a member of staff."""


def as_accepted_change(accepted: AcceptedChange) -> dict[str, Any]:
    """Convert an accepted change to the shape of `AcceptedChangeShown`."""
    return {
        "id": str(accepted.id),
        "order_id": str(accepted.request.order_id),
        "kind": accepted.request.kind.value,
        "status": PROCESSING,
        "created_at": as_time(accepted.created_at),
    }


def as_change(change: Change, *, access: Access) -> dict[str, Any]:
    """Convert a change to the shape of `ChangeShown`. A customer sees neither the names nor the reasons of staff."""
    own = access.is_staff or change.requested_by == CUSTOMER
    given = change.amount_minor
    return {
        "id": str(change.id),
        "order_id": str(change.order.pk),
        "kind": change.kind.value,
        "status": change.status,
        "created_at": as_time(change.created_at),
        "lines": [asdict(line) for line in change.lines],
        "amount": None if given is None else amount(given, change.order.currency),
        "refund_to": change.refund_to and change.refund_to.value,
        "parcel_number": change.parcel_number,
        "return_id": change.return_id and str(change.return_id),
        "reason": change.reason if own else "",
        "requested_by": change.requested_by if own else STAFF,
        "failure": change.failure and change.failure.shown,
    }


def as_change_state(change: Change, *, access: Access) -> dict[str, Any]:
    """Convert a change that was read alone to the shape of `ChangeState`."""
    return {
        **as_change(change, access=access),
        "steps": as_steps(change.steps),
        "decided_at": as_time(change.decided_at),
    }


def as_return(returned: ReturnRequest, *, access: Access, now: datetime) -> dict[str, Any]:
    """Convert a return request to the shape of `ReturnShown`."""
    own = access.is_staff or returned.requested_by == CUSTOMER
    return {
        "id": str(returned.pk),
        "order_id": str(returned.order_id),
        "state": returned.state_at(now),
        "lines": returned.lines,
        "reason": returned.reason if own else "",
        "requested_by": returned.requested_by if own else STAFF,
        "requested_at": as_time(returned.requested_at),
        "expires_at": as_time(returned.expires_at),
    }
