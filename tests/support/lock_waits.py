"""Sagas that change one order, brought to wait for its lock through the engine."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from orchestration.contracts.order_changes import ChangeKind, ChangeRequested, RefundTo, open_change
from orchestration.engine import engine
from orchestration.models import SagaInstance
from orchestration.protocol.events import StepWaits
from orchestration.sagas.refund_order import refund_order

STEP = open_change.step
ORDER_ID = UUID(int=0xE1)
RESOURCE = f"order:{ORDER_ID}"


def start_refund(now: datetime | None = None) -> UUID:
    """Start the refund of an order, and return its saga."""
    request = ChangeRequested(
        order_id=ORDER_ID,
        customer_id="7",
        checkout_id=UUID(int=2),
        kind=ChangeKind.REFUND,
        lines=(),
        amount_minor=100,
        currency="EUR",
        refund_to=RefundTo.PAYMENT,
        reason="broken",
        requested_by="ada",
    )
    saga_id, now = uuid7(), now or datetime.now(UTC)
    origin = engine.Origin("7", str(saga_id), "hash")
    return engine.start_saga(refund_order, request, saga_id=saga_id, origin=origin, now=now).saga_id


def let_wait(saga_id: UUID, holder: UUID, *, before: int = 0, now: datetime | None = None) -> SagaInstance:
    """Let the saga wait for the lock on the order, which another saga holds."""
    now, token = now or datetime.now(UTC), SagaInstance.objects.get(pk=saga_id).token
    return engine.apply(saga_id, StepWaits(STEP, token, RESOURCE, holder, before, since=now), now=now)
