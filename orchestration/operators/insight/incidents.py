"""Incidents: failing sagas grouped by step, error and definition."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestration.db.sql import execute
from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.insight.saga_filter import SagaFilter

LOOKED_AT = 10_000
"""The number of failing sagas, the newest first, that are grouped. Others are not counted."""
SHOWN = 5

_GROUPED = f"""
SELECT definition, failing_step, last_error, request ->> 'currency', count(*), count(*) FILTER (WHERE parked),
    count(*) FILTER (WHERE waits AND NOT parked), min(created_at), max(created_at),
    (array_agg(id ORDER BY created_at DESC))[1:{SHOWN}],
    sum(CASE WHEN request ->> 'total_minor' ~ '^[0-9]{{1,18}}$' THEN (request ->> 'total_minor')::bigint END)
FROM (
    SELECT * FROM "{SagaInstance._meta.db_table}"
    WHERE NOT (failing_step = '') AND ended_at IS NULL AND NOT paused
    ORDER BY created_at DESC LIMIT {LOOKED_AT}
) AS failing
GROUP BY 1, 2, 3, 4, phase, parked, waits
"""


@dataclass(frozen=True)
class Incident:
    """Sagas that fail at the same step with the same error. `at_stake_minor` sums up their totals, by currency."""

    definition: str
    step: str
    error: str
    count: int
    parked: int
    waiting: int
    oldest_at: datetime
    newest_at: datetime
    ids: tuple[UUID, ...]
    """The first `SHOWN` of `examples`."""
    examples: tuple[UUID, ...]
    """The newest `SHOWN` of each kind. Sagas of one kind agree in currency, phase, being parked and waiting."""
    at_stake_minor: dict[str, int]

    @property
    def retrying(self) -> int:
        """The number of sagas that are retried automatically."""
        return self.count - self.parked - self.waiting

    @property
    def wanted(self) -> SagaFilter:
        """The filter that finds exactly these sagas."""
        return SagaFilter(
            steps=frozenset({self.step}),
            errors=frozenset({self.error}),
            definitions=frozenset({self.definition}),
            failing=True,
        )


def incidents() -> list[Incident]:
    """Return every incident, the largest first. It takes one query, which reads failing sagas only."""
    grouped: dict[tuple[str, str, str], list[tuple[Any, ...]]] = {}
    for definition, step, error, *row in execute(ALIAS, _GROUPED):
        grouped.setdefault((definition, step, error), []).append(tuple(row))
    found = [_incident(*what, rows) for what, rows in grouped.items()]
    return sorted(found, key=lambda each: (-each.count, each.step, each.error, each.definition))


def _incident(definition: str, step: str, error: str, rows: Iterable[tuple[Any, ...]]) -> Incident:
    """Return one incident from its rows, one for each currency and kind."""
    currencies, counts, parked, waiting, oldest, newest, ids, totals = zip(*rows, strict=True)
    return Incident(
        definition=definition,
        step=step,
        error=error,
        count=sum(counts),
        parked=sum(parked),
        waiting=sum(waiting),
        oldest_at=min(oldest),
        newest_at=max(newest),
        ids=tuple(each for some in ids for each in some)[:SHOWN],
        examples=tuple(each for some in ids for each in some),
        at_stake_minor=_sums(zip(currencies, totals, strict=True)),
    )


def _sums(totals: Iterable[tuple[str, int | None]]) -> dict[str, int]:
    """Return the total of each currency, without zeros."""
    sums = Counter[str]()
    for currency, total in totals:
        sums[currency] += int(total or 0)
    return {currency: total for currency, total in sums.items() if total}
