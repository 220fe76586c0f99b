"""Sagas to act on, and somebody who does."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from orchestration.models import Batch, OperatorLogEntry
from orchestration.models.actions import OperatorAction, Via
from orchestration.operators.actions.batch_pacing import Pace
from orchestration.operators.actions.perform import perform
from orchestration.operators.actions.preview import preview
from orchestration.operators.actions.requests import Actor, Ask, Preview
from orchestration.operators.insight.saga_filter import SagaFilter
from orchestration.operators.insight.status import SagaStatus

ADA, BOB = Actor("ada", 1, Via.ADMIN), Actor("bob", 2, Via.ADMIN)
PARKED = SagaFilter(statuses=frozenset({SagaStatus.PARKED}))
FAST = Pace(canary=2, per_second=1000, stop_above_percent=50)
WHY, EVIDENCE = "the gateway answers again", "statement 7, line 12"


def asked(action: OperatorAction, *, by: Actor = ADA, **more: Any) -> Ask:
    return Ask(action, by, **{"reason": WHY, **more})


def now(batch: Batch) -> Batch:
    return Batch.objects.get(pk=batch.pk)


def resumed() -> list[UUID]:
    return list(OperatorLogEntry.objects.order_by("pk").values_list("saga_id", flat=True))


@pytest.fixture
def parked(situations) -> Callable[[int], list[UUID]]:
    return lambda count: [situations.parked_after_pivot() for _ in range(count)]


@pytest.fixture
def act() -> Callable[..., OperatorLogEntry]:
    """Do it now, whatever was seen before."""

    def act(
        saga_id: UUID, action: OperatorAction, *, expected_version: int | None = None, **more: Any
    ) -> OperatorLogEntry:
        return perform(saga_id, asked(action, **more), expected_version=expected_version)

    return act


@pytest.fixture
def look() -> Callable[..., Preview]:
    def look(saga_id: UUID, action: OperatorAction, **more: Any) -> Preview:
        return preview(saga_id, asked(action, **more))

    return look
