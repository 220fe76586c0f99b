"""Gives up a saga as the victim of a deadlock with another saga that is not there."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from orchestration.engine import engine
from orchestration.models import ALIAS, SagaInstance
from orchestration.protocol.events import DeadlockFound


def give_up(saga_id: UUID) -> SagaInstance:
    """Have the saga wait for another one that waits for it, and give it up. Its pivot is not barred yet."""
    now, other = datetime.now(UTC), uuid4()
    row = SagaInstance.objects.using(ALIAS).get(pk=saga_id)
    SagaInstance.objects.using(ALIAS).filter(pk=saga_id).update(
        waits_for=other, waits_on="wallet:a", waits_since=now, progress={**row.progress, "waits": "reserve_stock"}
    )
    found = DeadlockFound((other, saga_id), ("wallet:b", "wallet:a"), (row.definition,) * 2, "the youngest")
    return engine.apply(saga_id, found, now=now)
