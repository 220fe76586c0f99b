"""Locks of a wallet in payments, held by sagas that take two locks."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

from orchestration.engine import engine
from orchestration.protocol.events import StepWaits
from payments.models import Hold, Turn
from tests.support.two_locks import ExchangeRequested, exchange

RESOURCE = "wallet:a"


def started() -> UUID:
    """Start a saga that takes two locks. Its definition must be registered."""
    now = datetime.now(UTC)
    origin = engine.Origin("ann", str(uuid4()), "hash")
    return engine.start_saga(exchange, ExchangeRequested("a", "b"), saga_id=uuid7(), origin=origin, now=now).saga_id


def held(saga_id: UUID, resource: str = RESOURCE, *, fence: int = 1, ago: timedelta = timedelta(minutes=20)) -> None:
    """Have the saga hold the lock since then."""
    since = datetime.now(UTC) - ago
    Hold.objects.create(resource=resource, saga_id=saga_id, step="take_first", fence=fence, since=since)


def waits(saga_id: UUID, holder: UUID, resource: str = RESOURCE) -> None:
    """Have the saga wait for the lock."""
    now = datetime.now(UTC)
    Turn.objects.create(resource=resource, saga_id=saga_id, step="take_second")
    report = StepWaits("take_second", 1, resource, holder, 0, now, done=(("take_first", now),))
    engine.apply(saga_id, report, now=now)
