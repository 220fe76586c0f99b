"""Reads which sagas were repaired by others. Effects that a repair reversed, or is reversing, are no violation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from orchestration.models import ALIAS, SagaInstance
from orchestration.sagas import CUSTOMER

CLOCKS_AGREE_WITHIN = timedelta(seconds=1)
"""Tolerance, because the worker that ended a repair has its own clock."""


@dataclass(frozen=True)
class Repairs:
    """The saga that each repair is about (`saga_of`), and the sagas that a repair may be changing now (`under_way`)."""

    saga_of: Mapping[UUID, UUID] = field(default_factory=dict)
    under_way: frozenset[UUID] = frozenset()
    repaired: frozenset[UUID] = frozenset()


def read(*, since: datetime) -> Repairs:
    """Return all repairs. Those that had not ended by `since` are under way."""
    asked = SagaInstance.objects.using(ALIAS).filter(customer_id=CUSTOMER, request__has_key="repaired_saga_id")
    found = [
        (repair_id, UUID(saga_id), ended_at)
        for repair_id, saga_id, ended_at in asked.values_list("id", "request__repaired_saga_id", "ended_at")
    ]
    return Repairs(
        saga_of={repair_id: saga_id for repair_id, saga_id, _ in found},
        under_way=frozenset(
            saga_id for _, saga_id, ended_at in found if ended_at is None or ended_at >= since - CLOCKS_AGREE_WITHIN
        ),
        repaired=frozenset(saga_id for _, saga_id, _ in found),
    )
