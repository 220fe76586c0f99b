"""Statements on a ledger, in plain SQL because every message runs them: claim rows, look at them, change them."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections
from psycopg import Cursor
from psycopg.types.json import Jsonb

from orchestration.participant.ledger import LedgerRow, Status


@dataclass(frozen=True)
class Call:
    """One message to a participant: a step of a saga, the facts known so far, the dispatch it belongs to."""

    saga_id: UUID
    step: str
    token: int
    known: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """What a ledger row says."""

    status: str
    answer: dict[str, Any] | None
    refusal: dict[str, Any] | None
    created_at: datetime
    changed_at: datetime

    @property
    def is_final(self) -> bool:
        """Whether an action that finds this row has nothing left to do."""
        return self.status != Status.STARTED


@dataclass(frozen=True)
class Change:
    """What becomes of one saga's row."""

    saga_id: UUID
    token: int
    status: str
    answer: dict[str, Any] | None = None
    refusal: dict[str, Any] | None = None


def claim(
    ledger: type[LedgerRow], alias: str, calls: Sequence[Call], status: str, *, keep_request: bool = False
) -> set[UUID]:
    """Insert a row for each call that has none yet; return the sagas whose row is new.

    Never select first: the unique key decides between two runs of one message. The loser waits here until the
    winner's transaction ends (READ COMMITTED). Keys are inserted in order, so that two batches cannot deadlock.
    """
    calls = sorted(calls, key=lambda call: call.saga_id)
    found = _execute(
        alias,
        f"INSERT INTO {ledger._meta.db_table} (saga_id, step, status, history, token, request) "
        "SELECT saga_id, step, %s::text, ARRAY[%s::text], token, request "
        "FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::jsonb[]) AS call (saga_id, step, token, request) "
        "ON CONFLICT (saga_id, step) DO NOTHING RETURNING saga_id",
        status,
        status,
        [call.saga_id for call in calls],
        [call.step for call in calls],
        [call.token for call in calls],
        [Jsonb(call.known) if keep_request else None for call in calls],
    )
    return {saga_id for (saga_id,) in found}


def look(
    ledger: type[LedgerRow], alias: str, saga_ids: Collection[UUID], step: str, *, lock: bool = True
) -> dict[UUID, Row]:
    """The rows of these sagas. With `lock` nobody else changes them until the transaction ends; the order in which
    they are locked cannot deadlock."""
    if not saga_ids:
        return {}
    found = _execute(
        alias,
        "SELECT saga_id, status, answer, refusal, created_at, changed_at "
        f"FROM {ledger._meta.db_table} WHERE saga_id = ANY(%s::uuid[]) AND step = %s ORDER BY saga_id"
        + (" FOR UPDATE" if lock else ""),
        list(saga_ids),
        step,
    )
    return {
        saga_id: Row(status, _loaded(answer), _loaded(refusal), created_at, changed_at)
        for saga_id, status, answer, refusal, created_at, changed_at in found
    }


def change(
    ledger: type[LedgerRow], alias: str, step: str, changes: Sequence[Change], *, was: Collection[str] = ()
) -> int:
    """Give each row its new status and answer; return how many were changed.

    Rows whose status is not in `was` stay as they are. Without `was` they were claimed in this very transaction:
    nobody saw what they said until now, so their history begins here.
    """
    return len(
        _execute(
            alias,
            f"UPDATE {ledger._meta.db_table} AS old SET status = new.status, changed_at = now(), token = new.token, "
            f"history = {'old.history || new.status' if was else 'ARRAY[new.status]'}, "
            "answer = coalesce(new.answer, old.answer), refusal = coalesce(new.refusal, old.refusal) "
            "FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::jsonb[], %s::jsonb[]) "
            "AS new (saga_id, token, status, answer, refusal) "
            f"WHERE old.saga_id = new.saga_id AND old.step = %s {'AND old.status = ANY(%s::text[])' if was else ''} "
            "RETURNING 1",
            [each.saga_id for each in changes],
            [each.token for each in changes],
            [str(each.status) for each in changes],
            [None if each.answer is None else Jsonb(each.answer) for each in changes],
            [None if each.refusal is None else Jsonb(each.refusal) for each in changes],
            step,
            *([[str(status) for status in was]] if was else []),
        )
    )


def _loaded(text: str | None) -> Any:
    return None if text is None else json.loads(text)  # Django has told the connection not to read JSON


def _execute(alias: str, statement: str, *parameters: Any) -> list[Any]:
    """Run a statement past Django's cursor: prepared by the server, its parameters bound there."""
    connection = connections[alias]
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters)  # type: ignore[arg-type]
        return cursor.fetchall()
