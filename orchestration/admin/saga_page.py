"""The contents of the page of one saga."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import mark_safe
from django_celery_results.models import TaskResult

from orchestration.admin.buttons import buttons_for
from orchestration.admin.service_rows import rows_of
from orchestration.engine.selectors import WAITING, StepProgress
from orchestration.models import ALIAS, OperatorLogEntry, SagaInstance, SagaLogEntry
from orchestration.operators.insight.money import money_of
from orchestration.operators.insight.redaction import redacted
from orchestration.operators.insight.saga_view import SagaView
from orchestration.operators.insight.status import attempt_of, status_of, step_of
from orchestration.operators.insight.timeline_svg import timeline_svg
from orchestration.operators.insight.why import why_of
from orchestration.participant.ledger import LedgerRow
from orchestration.telemetry import flower_links
from orchestration.text import formatting

Urls = Mapping[str, str]
"""The URLs of the results of failed tasks, by task id."""
Pairs = list[tuple[str, str]]
"""Names and values, as texts."""


@dataclass(frozen=True)
class ErrorShown:
    text: str
    task_id: str = ""
    task_url: str = ""


@dataclass(frozen=True)
class StepShown:
    name: str
    service: str
    status: str
    since: str
    age: str
    attempts: int
    took: str
    """The time from the first write of its ledger row to the last."""
    result: Pairs
    """Its answer or refusal, with the references of gateway or carrier."""
    request: str
    last_error: ErrorShown


@dataclass(frozen=True)
class LogLineShown:
    sequence: int
    at: str
    kind: str
    step: str
    phase: str
    token: int
    detail: Pairs
    task_id: str
    task_url: str


@dataclass(frozen=True)
class LedgerRowShown:
    step: str
    status: str
    history: str
    token: int
    created_at: str
    changed_at: str
    result: Pairs
    """Its answer or refusal."""
    request: str
    """The request of its external call, if it made one."""


def page_of(view: SagaView, entries: list[OperatorLogEntry], request: HttpRequest, *, now: datetime) -> dict[str, Any]:
    """Return the template's context; `entries` are those of the operator log."""
    instance, definition = view.instance, view.instance.definition
    urls = result_urls(view.log, request.user)
    return {
        "instance": instance,
        "status": status_of(instance).value,
        "attempt": _attempt(instance, now),
        "why": why_of(view, now=now),
        "money": money_of(view),
        "waiters": view.waiters,
        "retried_by": view.retried_by,
        "timeline": mark_safe(timeline_svg(view, now)),
        "buttons": buttons_for(view, request.user),
        "steps": None if view.steps is None else [_step(step, view, urls, now) for step in view.steps],
        "ledgers": {
            service: None if rows is None else [_ledger_row(row, definition) for row in rows]
            for service, rows in view.ledgers.items()
        },
        "tables": rows_of(instance.pk, request),
        "entries": entries,
        "log": [_log_line(entry, urls) for entry in view.log],
        "failure": formatting.error(instance.failure) if instance.failure else "",
        "asked": facts(instance, instance.request),
        "answered": facts(instance, instance.answers),
        "flower_saga": flower_links.saga_url(instance.pk),
        "flower_task": flower_links.task_url(""),
    }


def result_urls(log: Iterable[SagaLogEntry], user: AbstractBaseUser | AnonymousUser) -> Urls:
    """Return the URLs of the results of the failed tasks that the log names; empty if the user may not see results."""
    if not user.has_perm("django_celery_results.view_taskresult"):  # type: ignore[union-attr]
        return {}
    task_ids = {entry.detail["task_id"] for entry in log if entry.detail.get("task_id")}
    found = TaskResult.objects.using(ALIAS).filter(task_id__in=task_ids).values_list("task_id", "pk")
    return {task_id: reverse("admin:django_celery_results_taskresult_change", args=[pk]) for task_id, pk in found}


def facts(instance: SagaInstance, known: Any) -> str:
    """Return the saga's request or answers as text, with secrets hidden."""
    return _text(redacted(known, definition=instance.definition))


def _attempt(instance: SagaInstance, now: datetime) -> str:
    attempt = attempt_of(instance)
    return " ".join(filter(None, [step_of(instance), attempt.in_words(now) if attempt else ""]))


def _step(step: StepProgress, view: SagaView, urls: Urls, now: datetime) -> StepShown:
    row = next((row for row in view.ledgers.get(step.service) or () if row.step == step.name), None)
    kept = _ledger_row(row, view.instance.definition) if row else None
    return StepShown(
        name=step.name,
        service=step.service,
        status=_status(step, view.instance),
        since=formatting.moment(step.since),
        age=formatting.span(now.astimezone(UTC) - step.since) if step.since else formatting.NOTHING,
        attempts=step.attempts,
        took=_took(row.changed_at - row.created_at) if row else formatting.NOTHING,
        result=kept.result if kept else [],
        request=kept.request if kept else "",
        last_error=_error(step.last_error, urls),
    )


def _status(step: StepProgress, instance: SagaInstance) -> str:
    """Return the status of the step's ledger row. In a saga that has ended, no step is waiting."""
    if step.name in instance.progress.get("parked", ()):
        return "parked"
    return "never_sent" if instance.ended_at and step.status == WAITING else step.status


def _took(length: timedelta) -> str:
    seconds = length.total_seconds()
    return formatting.span(length) if seconds >= 10 else f"{seconds * 1000:,.0f} ms"


def _error(detail: Mapping[str, Any] | None, urls: Urls) -> ErrorShown:
    task_id = (detail or {}).get("task_id", "")
    return ErrorShown(formatting.error(detail), task_id, urls.get(task_id, ""))


def _log_line(entry: SagaLogEntry, urls: Urls) -> LogLineShown:
    task_id = entry.detail.get("task_id", "")
    detail = {name: value for name, value in entry.detail.items() if name != "task_id"}
    return LogLineShown(
        sequence=entry.sequence,
        at=formatting.moment(entry.at),
        kind=entry.kind,
        step=entry.step,
        phase=entry.phase,
        token=entry.token,
        detail=_pairs(detail),
        task_id=task_id,
        task_url=urls.get(task_id, ""),
    )


def _ledger_row(row: LedgerRow, definition: str) -> LedgerRowShown:
    result = row.answer if row.refusal is None else row.refusal
    return LedgerRowShown(
        step=row.step,
        status=row.status,
        history=" → ".join(row.history),
        token=row.token,
        created_at=formatting.moment(row.created_at),
        changed_at=formatting.moment(row.changed_at),
        result=_pairs(redacted(result, definition=definition)),
        request=_text(redacted(row.request, definition=definition)) if row.request else "",
    )


def _pairs(known: Mapping[str, Any] | str | None) -> Pairs:
    if isinstance(known, str):  # all of it is hidden
        return [("", known)]
    return [(name, _text(value)) for name, value in (known or {}).items()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
