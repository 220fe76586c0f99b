"""Counts of sagas at a bounded cost, and the preset lists that operators open every day."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time

from django.db.models import QuerySet

from orchestration.models import SagaInstance
from orchestration.operators.insight.saga_filter import STUCK_AFTER, SagaFilter, matching
from orchestration.operators.insight.status import SagaStatus

COUNTED_TO = 1_000


@dataclass(frozen=True)
class Count:
    """A count: exactly `number`, or at least `number` if `is_more`."""

    number: int
    is_more: bool = False

    def __str__(self) -> str:
        return f"{self.number}+" if self.is_more else str(self.number)


def count_of(sagas: QuerySet[SagaInstance]) -> Count:
    """Count the sagas, at most to `COUNTED_TO`."""
    found = sagas.order_by()[: COUNTED_TO + 1].count()
    return Count(min(found, COUNTED_TO), found > COUNTED_TO)


def estimate_of(sagas: QuerySet[SagaInstance]) -> Count:
    """Count the sagas; above `COUNTED_TO`, return the planner's estimate."""
    counted = count_of(sagas)
    if not counted.is_more:
        return counted
    [plan] = json.loads(sagas.order_by().explain(format="json"))
    return Count(max(int(plan["Plan"]["Plan Rows"]), counted.number), is_more=True)


def presets(*, now: datetime) -> Mapping[str, SagaFilter]:
    """Return the filters of the lists that operators open every day, by name."""
    return {
        "parked": SagaFilter(statuses=frozenset({SagaStatus.PARKED})),
        "retrying": SagaFilter(statuses=frozenset({SagaStatus.RETRYING, SagaStatus.WAITING})),
        "stuck": SagaFilter(stuck_for=STUCK_AFTER),
        "compensating": SagaFilter(undoing=True),
        "today": SagaFilter(created_from=datetime.combine(now.astimezone(UTC).date(), time(), UTC)),
    }


def preset_counts(*, now: datetime) -> Mapping[str, Count]:
    """Count the sagas of each preset list."""
    return {name: count_of(matching(wanted, now=now)) for name, wanted in presets(now=now).items()}
