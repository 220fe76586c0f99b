"""Rates, durations and success of sagas over the last minutes. Each figure reads a limited number of rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from orchestration.db.sql import execute
from orchestration.models import ALIAS, UNFINISHED, SagaInstance, SagaLogEntry
from orchestration.operators.insight.counts import Count, count_of
from orchestration.operators.insight.sources import Unavailable, read

WINDOW = timedelta(minutes=15)
SAMPLE = 2_000
"""The number of sagas, the last ended first, that durations are computed from."""
COUNTED_TO = 100_000
"""The most sagas that are counted as started or ended in the window."""
_SOURCE = "the database of orchestration"
_SAGAS, _LOG = SagaInstance._meta.db_table, SagaLogEntry._meta.db_table

_RATES = f"""
SELECT (SELECT count(*) FROM (
        SELECT 1 FROM "{_SAGAS}" WHERE created_at >= %s ORDER BY created_at DESC LIMIT {COUNTED_TO}
    ) AS began),
    count(*), count(*) FILTER (WHERE phase = 'completed')
FROM (SELECT phase FROM "{_SAGAS}" WHERE ended_at >= %s ORDER BY ended_at DESC LIMIT {COUNTED_TO}) AS ended
"""
_ENDED = f"""
ended AS MATERIALIZED (
    SELECT id, phase, created_at, ended_at FROM "{_SAGAS}" WHERE ended_at >= %s ORDER BY ended_at DESC LIMIT {SAMPLE}
)
"""
_PERCENTILES = "percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY seconds)"
_END_TO_END = f"""
WITH {_ENDED}, took AS (SELECT greatest(extract(epoch FROM ended_at - created_at), 0)::float AS seconds
    FROM ended WHERE phase = 'completed')
SELECT count(*), {_PERCENTILES} FROM took
"""
_STEPS = f"""
WITH {_ENDED}, spent AS (
    SELECT kind, CASE WHEN kind = 'sent' THEN lag(step) OVER log ELSE step END AS step,
        greatest(extract(epoch FROM at - lag(at) OVER log), 0)::float AS seconds
    FROM "{_LOG}" JOIN ended ON ended.id = saga_id
    WINDOW log AS (PARTITION BY saga_id ORDER BY sequence)
)
SELECT step, sum(seconds), count(*) FILTER (WHERE kind = 'done'), {_PERCENTILES} FILTER (WHERE kind = 'done')
FROM spent WHERE step <> '' AND seconds IS NOT NULL GROUP BY step ORDER BY 2 DESC
"""


@dataclass(frozen=True)
class Durations:
    """Percentiles in seconds, over `count` durations; None when there is no duration."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True)
class StepStats:
    """One step: how long its action takes, with queueing and external call, and its `share` of all time, with waits."""

    step: str
    durations: Durations
    share: float
    """From 0 to 1."""


@dataclass(frozen=True)
class Stats:
    """Figures of sagas over the last `window`. `success` is the completed share of ended sagas; None if none ended."""

    window: timedelta
    in_flight: Count
    started_per_minute: float
    ended_per_minute: float
    success: float | None
    end_to_end: Durations
    """Of completed sagas."""
    steps: tuple[StepStats, ...]
    """The step with the largest share first."""


def stats(*, now: datetime, window: timedelta = WINDOW) -> Stats | Unavailable:
    """Compute the figures of the last `window`."""
    return read(_SOURCE, lambda: _stats(now - window, window))


def _stats(since: datetime, window: timedelta) -> Stats:
    [(began, ended, completed)] = execute(ALIAS, _RATES, since, since)
    [end_to_end] = execute(ALIAS, _END_TO_END, since)
    minutes = window / timedelta(minutes=1)
    return Stats(
        window=window,
        in_flight=count_of(SagaInstance.objects.using(ALIAS).filter(UNFINISHED)),
        started_per_minute=began / minutes,
        ended_per_minute=ended / minutes,
        success=completed / ended if ended else None,
        end_to_end=_durations(*end_to_end),
        steps=_steps(execute(ALIAS, _STEPS, since)),
    )


def _steps(rows: list[Any]) -> tuple[StepStats, ...]:
    whole = sum(spent for _, spent, _, _ in rows) or 1.0
    return tuple(StepStats(step, _durations(count, found), spent / whole) for step, spent, count, found in rows)


def _durations(count: int, percentiles: list[float] | None) -> Durations:
    return Durations(count, *(percentiles or (None, None, None)))
