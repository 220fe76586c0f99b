"""Sagas as JSON-ready values, as `manage.py saga --format json` prints them. Times are ISO 8601, in UTC."""

from datetime import UTC, datetime
from typing import Any

from orchestration.case import Case
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.participant.ledger import LedgerRow
from orchestration.redaction import redacted
from orchestration.selectors import StepProgress
from orchestration.standing import standing_of


def saga(instance: SagaInstance) -> dict[str, Any]:
    """One saga of a list."""
    return {**_row(instance), "last_error": instance.last_error or None}


def case(found: Case) -> dict[str, Any]:
    """One saga whole. `steps` is null when this code lacks the definition, a ledger when it cannot be read."""
    instance = found.instance
    definition = instance.definition
    return {
        **_row(instance),
        "version": instance.version,
        "token": instance.token,
        "in_flight": instance.in_flight,
        "failure": instance.failure,
        "dispatched_at": _time(instance.dispatched_at),
        "request": redacted(instance.request, definition=definition),
        "answers": redacted(instance.answers, definition=definition),
        "steps": None if found.steps is None else [_step(step) for step in found.steps],
        "ledgers": {
            service: None if rows is None else [_ledger_row(row, definition) for row in rows]
            for service, rows in found.ledgers.items()
        },
        "log": [_log_entry(entry) for entry in found.log],
    }


def _row(instance: SagaInstance) -> dict[str, Any]:
    standing = standing_of(instance)
    return {
        "id": str(instance.pk),
        "definition": instance.definition,
        "phase": instance.phase,
        "parked": list(standing.parked),
        "step": standing.step or None,
        "attempts": standing.attempts,
        "failure_code": (instance.failure or {}).get("code"),
        "order_id": str(instance.order_id) if instance.order_id else None,
        "customer_id": instance.customer_id,
        "idempotency_key": instance.idempotency_key,
        "created_at": _time(instance.created_at),
        "changed_at": _time(instance.changed_at),
        "due_at": _time(instance.due_at),
        "deadline_at": _time(instance.deadline_at),
        "ended_at": _time(instance.ended_at),
    }


def _step(step: StepProgress) -> dict[str, Any]:
    return {
        "name": step.name,
        "service": step.service,
        "status": step.status,
        "since": _time(step.since),
        "attempts": step.attempts,
        "last_error": step.last_error,
    }


def _ledger_row(row: LedgerRow, definition: str) -> dict[str, Any]:
    return {
        "step": row.step,
        "status": row.status,
        "history": row.history,
        "token": row.token,
        "answer": redacted(row.answer, definition=definition),
        "refusal": row.refusal,
        "request": redacted(row.request, definition=definition),
        "created_at": _time(row.created_at),
        "changed_at": _time(row.changed_at),
    }


def _log_entry(entry: SagaLogEntry) -> dict[str, Any]:
    return {
        "sequence": entry.sequence,
        "at": _time(entry.at),
        "written_at": _time(entry.written_at),
        "kind": entry.kind,
        "step": entry.step or None,
        "phase": entry.phase,
        "token": entry.token,
        "detail": entry.detail,
    }


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None
