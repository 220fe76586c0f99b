"""Lists of sagas by the page, and how many there are, however many there are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from uuid import UUID

from django.db.models import Q, QuerySet

from orchestration.insight.filtering import STUCK_AFTER, Wanted, matching
from orchestration.insight.status import Status
from orchestration.models import SagaInstance

COUNTED_TO = 1_000


class BadCursor(ValueError):
    """This is no place in a list of sagas."""


@dataclass(frozen=True)
class Page:
    """`next` is the cursor of the page behind it, empty on the last."""

    sagas: list[SagaInstance]
    next: str


@dataclass(frozen=True)
class Count:
    """At least `number`; exactly, unless `is_more`."""

    number: int
    is_more: bool = False

    def __str__(self) -> str:
        return f"{self.number}+" if self.is_more else str(self.number)


def page_of(sagas: QuerySet[SagaInstance], *, after: str = "", size: int = 50) -> Page:
    """One page, the newest first, behind the saga that the cursor names: no page costs more than the first.

    :raises BadCursor: when `after` is none.
    """
    behind = sagas.filter(_behind(after)) if after else sagas
    rows = list(behind[: size + 1])
    return Page(rows[:size], _cursor(rows[size - 1]) if len(rows) > size else "")


def count_of(sagas: QuerySet[SagaInstance]) -> Count:
    """How many there are, counted no further than `COUNTED_TO`."""
    found = sagas.order_by()[: COUNTED_TO + 1].count()
    return Count(min(found, COUNTED_TO), found > COUNTED_TO)


def estimate_of(sagas: QuerySet[SagaInstance]) -> Count:
    """How many there are, as the planner thinks where there are more than `COUNTED_TO`."""
    counted = count_of(sagas)
    if not counted.is_more:
        return counted
    [plan] = json.loads(sagas.order_by().explain(format="json"))
    return Count(max(int(plan["Plan"]["Plan Rows"]), counted.number), is_more=True)


def presets(*, now: datetime) -> Mapping[str, Wanted]:
    """The lists that operators open every day, by name."""
    return {
        "parked": Wanted(statuses=frozenset({Status.PARKED})),
        "retrying": Wanted(statuses=frozenset({Status.RETRYING, Status.WAITING})),
        "stuck": Wanted(stuck_for=STUCK_AFTER),
        "compensating": Wanted(statuses=frozenset({Status.COMPENSATING, Status.GIVING_UP})),
        "today": Wanted(created_from=datetime.combine(now.astimezone(UTC).date(), time(), UTC)),
    }


def preset_counts(*, now: datetime) -> Mapping[str, Count]:
    """How many sagas are in each."""
    return {name: count_of(matching(wanted, now=now)) for name, wanted in presets(now=now).items()}


def _cursor(saga: SagaInstance) -> str:
    return f"{saga.created_at.astimezone(UTC).isoformat()}~{saga.pk}"


def _behind(cursor: str) -> Q:
    try:
        at_text, _, id_text = cursor.partition("~")
        at, saga_id = datetime.fromisoformat(at_text), UUID(id_text)
        at.astimezone(UTC)  # which a time at the edge of the calendar has none of
    except (ValueError, OverflowError) as error:
        raise BadCursor(BadCursor.__doc__) from error
    if at.tzinfo is None:
        raise BadCursor(BadCursor.__doc__)
    return Q(created_at__lte=at) & (Q(created_at__lt=at) | Q(pk__lt=saga_id))
