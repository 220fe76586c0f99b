"""Which sagas were put right by others: what a repair has reversed is no drift, nor is what it is at work on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from orchestration.models import ALIAS, SagaInstance
from orchestration.sagas import CUSTOMER

CLOCKS_AGREE_WITHIN = timedelta(seconds=1)
"""Whoever ended a repair has a clock of its own."""


@dataclass(frozen=True)
class Repairs:
    """`saga_of` says of each repair which saga it is about; `under_way`, which sagas one may be changing now."""

    saga_of: Mapping[UUID, UUID] = field(default_factory=dict)
    under_way: frozenset[UUID] = frozenset()
    repaired: frozenset[UUID] = frozenset()


def read(*, since: datetime) -> Repairs:
    """Every repair; those that had not ended by `since` are under way."""
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
