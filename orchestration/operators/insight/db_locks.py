"""Database sessions that wait for a lock: the row, the session that holds it, and its saga if that can be known."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connections
from django.db.models import Model

from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.insight.sources import Unavailable, read
from orchestration.participant.participant import participants

CANDIDATES = 1_000
"""The number of unfinished sagas, the oldest first, that are considered as the holder of a lock."""

_BLOCKED = """
SELECT waits.pid, coalesce(min(own.waitstart), min(waits.query_start)) AS since, holder.pid AS holder,
    coalesce(other.state, ''), other.xact_start, held.transactionid::text,
    min(row.relation::regclass::text), min(row.page), min(row.tuple)
FROM pg_stat_activity AS waits
CROSS JOIN LATERAL unnest(pg_blocking_pids(waits.pid)) AS holder (pid)
LEFT JOIN pg_stat_activity AS other ON other.pid = holder.pid
LEFT JOIN pg_locks AS own ON own.pid = waits.pid AND NOT own.granted
LEFT JOIN pg_locks AS row ON row.pid = waits.pid AND row.locktype = 'tuple'
LEFT JOIN pg_locks AS held ON held.pid = holder.pid AND held.locktype = 'transactionid' AND held.granted
WHERE waits.datname = current_database() AND waits.wait_event_type = 'Lock'
GROUP BY waits.pid, holder.pid, other.state, other.xact_start, held.transactionid
"""

_NAMING = ("saga_id", "sku")
"""Columns that identify what a row is about; the first that a table has is used."""


@dataclass(frozen=True)
class Blocked:
    """One session that waits for the lock of another session.

    `row` describes the row that both want, and `names` is the id in it; empty when it is not one of our rows.
    `holder_saga` is the saga that the holder works for, if a row that it has locked shows that.
    """

    alias: str
    pid: int
    since: datetime | None
    row: str
    names: str
    holder: int
    holder_state: str
    holder_since: datetime | None
    holder_saga: UUID | None


def blocked_sessions(alias: str) -> tuple[Blocked, ...] | Unavailable:
    """Return the blocked sessions of a database, each with its holder. Without blocked sessions this is one query."""
    return read(f"the database of {alias}", lambda: _blocked(alias))


def _blocked(alias: str) -> tuple[Blocked, ...]:
    with connections[alias].cursor() as cursor:
        cursor.execute(_BLOCKED)
        rows = cursor.fetchall()
    return tuple(_read(alias, *row) for row in rows)


def _read(
    alias: str,
    pid: int,
    since: datetime | None,
    holder: int,
    state: str,
    holder_since: datetime | None,
    transaction: str | None,
    relation: str | None,
    page: int | None,
    tuple_: int | None,
) -> Blocked:
    row, names = _contended(alias, relation, f"({page},{tuple_})") if relation else ("", "")
    saga = _saga_of(alias, transaction) if transaction else None
    return Blocked(alias, pid, since, row, names, holder, state, holder_since, saga)


def _contended(alias: str, relation: str, place: str) -> tuple[str, str]:
    """Return a description of the row at this place (its ctid), and the id in it."""
    model = _models(alias).get(relation)
    column = _naming(model) if model else None
    if model is None or column is None:
        return relation, ""
    found = _one(alias, f'SELECT "{column}"::text FROM "{relation}" WHERE ctid = %s::tid', [place])
    return (f"{model._meta.verbose_name} {found}", found) if found else (relation, "")


def _saga_of(alias: str, transaction: str) -> UUID | None:
    """Return the unfinished saga of which that transaction has locked a row.

    A row that the transaction has inserted and not committed is not visible, so its saga is not found.
    """
    table, column = _saga_column(alias)
    if table is None:
        return None
    found = _one(
        alias,
        f'SELECT "{column}"::text FROM "{table}" WHERE "{column}" = ANY(%s) AND xmax::text = %s',
        [_candidates(), transaction],
    )
    return UUID(found) if found else None


def _saga_column(alias: str) -> tuple[str | None, str]:
    """Return the table and the column in which a database names the saga of a row."""
    if alias == ALIAS:
        return SagaInstance._meta.db_table, "id"
    participant = participants().get(alias)
    return (participant.ledger._meta.db_table, "saga_id") if participant else (None, "")


def _candidates() -> list[UUID]:
    unfinished = SagaInstance.objects.using(ALIAS).filter(ended_at=None).order_by("created_at")
    return list(unfinished.values_list("pk", flat=True)[:CANDIDATES])


def _one(alias: str, statement: str, parameters: Collection[Any]) -> str | None:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, list(parameters))
        row = cursor.fetchone()
    return str(row[0]) if row else None


def _models(alias: str) -> Mapping[str, type[Model]]:
    label = SagaInstance._meta.app_label if alias == ALIAS else alias
    return {model._meta.db_table: model for model in apps.get_app_config(label).get_models()}


def _naming(model: type[Model]) -> str | None:
    if model is SagaInstance:
        return "id"
    columns = {field.column for field in model._meta.concrete_fields}
    return next((name for name in _NAMING if name in columns), None)
