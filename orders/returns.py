"""Return requests: what is sent back, and by when. They take no lock."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from django.conf import settings

from orchestration.contracts.order_changes import ChangeKind
from orchestration.contracts.values import SkuQuantity
from orders.change_rules import plan_change
from orders.models import Order, ReturnRequest


def request_return(
    order: Order,
    lines: Sequence[SkuQuantity],
    *,
    return_id: UUID,
    reason: str,
    requested_by: str,
    idempotency_key: str,
    request_hash: str,
    now: datetime,
) -> ReturnRequest:
    """Record a return request for these units, or for all that can be returned.

    The order may change until the parcel is received, which may then be refused. If the person has used the key before,
    return the request of that time: compare its hash.

    :raises Refusal: when the order does not allow such a return now.
    """
    key = {"order": order, "requested_by": requested_by, "idempotency_key": idempotency_key}
    if made := ReturnRequest.objects.filter(**key).first():
        return made
    planned = plan_change(order, ChangeKind.RETURN, lines, None)
    asked = {
        "id": return_id,
        "lines": [asdict(line) for line in planned.lines],
        "reason": reason,
        "request_hash": request_hash,
        "requested_at": now,
        "expires_at": now + settings.RETURN_PERIOD,
    }
    return ReturnRequest.objects.get_or_create(**key, defaults=asked)[0]


def refuse_return(return_id: UUID, *, now: datetime) -> bool:
    """Refuse a return request that is still open and has not expired. Return whether it was."""
    is_open = ReturnRequest.objects.filter(id=return_id, state=ReturnRequest.State.REQUESTED, expires_at__gte=now)
    return bool(is_open.update(state=ReturnRequest.State.REFUSED))
