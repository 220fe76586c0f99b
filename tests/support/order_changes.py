"""Changes of the orders that checkouts have placed, started through the engine."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from orchestration.contracts.order_changes import ChangeKind, ChangeRequested, RefundTo
from orchestration.contracts.values import SkuQuantity
from orchestration.engine import engine
from orders.api.change_start import SAGAS
from orders.models import Order


def request_of(checkout_id: UUID, kind: ChangeKind, *lines: tuple[str, int], **fields: Any) -> ChangeRequested:
    """Build the request for a change of the order that this checkout has placed."""
    order = Order.objects.get(saga_id=checkout_id)
    asked = {
        "lines": tuple(SkuQuantity(*line) for line in lines),
        "amount_minor": None,
        "refund_to": RefundTo.PAYMENT,
        "reason": "why",
        "requested_by": "kim",
    }
    return ChangeRequested(
        order_id=order.pk,
        customer_id=order.customer_id,
        checkout_id=checkout_id,
        kind=kind,
        currency=order.currency,
        **(asked | fields),
    )


def start(
    checkout_id: UUID, kind: ChangeKind, *lines: tuple[str, int], saga_id: UUID | None = None, **fields: Any
) -> UUID:
    """Start such a change, and return its saga. Its key is its id, so that a repetition changes nothing."""
    request = request_of(checkout_id, kind, *lines, **fields)
    saga_id, now = saga_id or uuid7(), datetime.now(UTC)
    origin = engine.Origin(request.customer_id, f"{kind}·{saga_id}", "hash")
    return engine.start_saga(SAGAS[kind], request, saga_id=saga_id, origin=origin, now=now).saga_id
