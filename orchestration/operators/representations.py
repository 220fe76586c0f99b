"""Sagas as JSON-ready values, as `manage.py saga` prints them and staff get them over HTTP. Times are UTC."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from orchestration.engine.selectors import StepProgress
from orchestration.models import Batch, BatchMember, MachineryLogEntry, OperatorLogEntry, SagaInstance, SagaLogEntry
from orchestration.operators.actions.batch_pacing import Tally
from orchestration.operators.actions.batches import BatchPreview, failures_of, tallies_of, tally_of
from orchestration.operators.actions.requests import Preview
from orchestration.operators.insight.breakers import BreakerNow
from orchestration.operators.insight.current_step import current_step_of
from orchestration.operators.insight.redaction import redacted
from orchestration.operators.insight.saga_view import SagaView
from orchestration.operators.insight.status import status_of
from orchestration.operators.insight.why_facts import Why
from orchestration.participant.ledger import LedgerRow

MOST_FAILURES = 100
"""So many failures of a batch are shown."""


def saga(instance: SagaInstance) -> dict[str, Any]:
    """One saga of a list."""
    return {**_row(instance), "last_error": instance.last_error or None}


def saga_view(found: SagaView) -> dict[str, Any]:
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


def log_entry(entry: OperatorLogEntry) -> dict[str, Any]:
    """What an operator did, and what came of it; `observed` is null while nobody knows."""
    return {
        "id": entry.pk,
        "saga_id": str(entry.saga_id),
        "action": entry.action,
        "step": entry.step or None,
        "by": entry.by,
        "via": entry.via,
        "at": _time(entry.at),
        "reason": entry.reason,
        "statement": entry.statement,
        "evidence": entry.evidence or None,
        "code": entry.code,
        "detail": entry.detail,
        "before": entry.before,
        "after": entry.after,
        "observed": entry.observed if entry.observed_at else None,
        "observed_detail": entry.observed_detail,
        "observed_at": _time(entry.observed_at),
        "batch_id": str(entry.batch_id) if entry.batch_id else None,
    }


def preview(found: Preview) -> dict[str, Any]:
    """What an action would do."""
    return {**asdict(found), "saga_id": str(found.saga_id), "skipped": [asdict(each) for each in found.skipped]}


def breaker(found: BreakerNow) -> dict[str, Any]:
    """A circuit breaker."""
    return {
        "name": found.name,
        "service": found.service,
        "state": found.state,
        "failures": found.failures,
        "next_probe": _time(found.next_probe),
    }


def machinery_log_entry(entry: MachineryLogEntry) -> dict[str, Any]:
    """What an operator did to a breaker or a dead letter; `outcome` is null while it has no end."""
    return {
        "id": entry.pk,
        "action": entry.action,
        "subject": entry.subject,
        "wanted": entry.wanted,
        "by": entry.by,
        "via": entry.via,
        "reason": entry.reason,
        "before": entry.before,
        "asked_at": _time(entry.asked_at),
        "outcome": entry.outcome or None,
        "detail": entry.detail,
        "after": entry.after,
        "ended_at": _time(entry.ended_at),
    }


def batch(found: Batch) -> dict[str, Any]:
    """A batch, what became of its members so far, and the first of those that failed."""
    failures = [_failure(member) for member in failures_of(found)[:MOST_FAILURES]]
    return {**_batch(found, tally_of(found)), "failures": failures}


def batches(found: Collection[Batch]) -> list[dict[str, Any]]:
    """Batches, and what became of their members so far."""
    tallies = tallies_of(found)
    return [_batch(each, tallies[each.pk]) for each in found]


def _batch(found: Batch, tally: Tally) -> dict[str, Any]:
    return {
        "id": str(found.pk),
        "action": found.action,
        "sagas": found.wanted_in_words,
        "step": found.step or None,
        "state": found.state,
        "by": found.by,
        "reason": found.reason,
        "statement": found.statement,
        "evidence": found.evidence or None,
        "approved_by": found.approved_by or None,
        "stopped_by": found.stopped_by or None,
        "stopped_why": found.stopped_why or None,
        "canary": found.canary,
        "per_second": found.per_second,
        "stop_above_percent": found.stop_above_percent,
        "chosen": found.members_chosen,
        "tally": asdict(tally),
        "asked_at": _time(found.asked_at),
        "started_at": _time(found.started_at),
        "ended_at": _time(found.ended_at),
    }


def batch_preview(found: BatchPreview) -> dict[str, Any]:
    """What a batch would do."""
    return {**asdict(found), "why_not": dict(found.why_not), "examples": [preview(each) for each in found.examples]}


def why(found: Why) -> dict[str, Any]:
    """Why a saga does not move, and what happens next."""
    return {
        "sentence": found.sentence,
        "cause": found.cause.value,
        "next": found.next,
        "needs_a_person": found.needs_a_person,
        "step": found.step or None,
        "evidence": list(found.evidence),
        "unread": list(found.unread),
    }


def _row(instance: SagaInstance) -> dict[str, Any]:
    current = current_step_of(instance)
    return {
        "id": str(instance.pk),
        "definition": instance.definition,
        "status": status_of(instance).value,
        "phase": instance.phase,
        "parked": list(current.parked),
        "step": current.step or None,
        "attempts": current.attempts,
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


def _failure(member: BatchMember) -> dict[str, Any]:
    entry = member.entry
    return {
        "saga_id": str(member.saga_id),
        "log_entry": entry.pk if entry else None,
        "code": entry.code if entry else "",
        "observed": entry.observed or None if entry else None,
        "detail": (entry.observed_detail or entry.detail) if entry else member.detail,
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
