"""What the page of one saga shows below the row itself."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.urls import reverse
from django_celery_results.models import TaskResult

from orchestration import wording
from orchestration.case import Case
from orchestration.models import ALIAS, SagaInstance, SagaLogEntry
from orchestration.participant.ledger import LedgerRow
from orchestration.redaction import redacted
from orchestration.selectors import StepProgress
from orchestration.telemetry import flower_links

Urls = Mapping[str, str]
"""Where the results of failed tasks are shown, by task id."""
Pairs = list[tuple[str, str]]
"""What something says, as names and values."""


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
    said: Pairs
    """Its answer or refusal."""
    request: str
    """What a call outside was asked with, if one was."""


def page_of(case: Case, urls: Urls, *, now: datetime) -> dict[str, Any]:
    """The template's context."""
    definition = case.instance.definition
    return {
        "steps": None if case.steps is None else [_step(step, urls, now) for step in case.steps],
        "ledgers": {
            service: None if rows is None else [_ledger_row(row, definition) for row in rows]
            for service, rows in case.ledgers.items()
        },
        "log": [_log_line(entry, urls) for entry in case.log],
        "flower_saga": flower_links.saga_url(case.instance.pk),
        "flower_task": flower_links.task_url(""),
    }


def result_urls(log: Iterable[SagaLogEntry], user: AbstractBaseUser | AnonymousUser) -> Urls:
    """Where this user may look at the results of the failed tasks that the log names."""
    if not user.has_perm("django_celery_results.view_taskresult"):  # type: ignore[union-attr]
        return {}
    task_ids = {entry.detail["task_id"] for entry in log if entry.detail.get("task_id")}
    found = TaskResult.objects.using(ALIAS).filter(task_id__in=task_ids).values_list("task_id", "pk")
    return {task_id: reverse("admin:django_celery_results_taskresult_change", args=[pk]) for task_id, pk in found}


def facts(instance: SagaInstance, known: Any) -> str:
    """The saga's request or answers as text, secrets hidden."""
    return _text(redacted(known, definition=instance.definition))


def _step(step: StepProgress, urls: Urls, now: datetime) -> StepShown:
    return StepShown(
        name=step.name,
        service=step.service,
        status=step.status,
        since=wording.moment(step.since),
        age=wording.span(now.astimezone(UTC) - step.since) if step.since else wording.NOTHING,
        attempts=step.attempts,
        last_error=_error(step.last_error, urls),
    )


def _error(detail: Mapping[str, Any] | None, urls: Urls) -> ErrorShown:
    task_id = (detail or {}).get("task_id", "")
    return ErrorShown(wording.error(detail), task_id, urls.get(task_id, ""))


def _log_line(entry: SagaLogEntry, urls: Urls) -> LogLineShown:
    task_id = entry.detail.get("task_id", "")
    detail = {name: value for name, value in entry.detail.items() if name != "task_id"}
    return LogLineShown(
        sequence=entry.sequence,
        at=wording.moment(entry.at),
        kind=entry.kind,
        step=entry.step,
        phase=entry.phase,
        token=entry.token,
        detail=_pairs(detail),
        task_id=task_id,
        task_url=urls.get(task_id, ""),
    )


def _ledger_row(row: LedgerRow, definition: str) -> LedgerRowShown:
    said = row.answer if row.refusal is None else row.refusal
    return LedgerRowShown(
        step=row.step,
        status=row.status,
        history=" → ".join(row.history),
        token=row.token,
        created_at=wording.moment(row.created_at),
        changed_at=wording.moment(row.changed_at),
        said=_pairs(redacted(said, definition=definition)),
        request=_text(redacted(row.request, definition=definition)) if row.request else "",
    )


def _pairs(known: Mapping[str, Any] | str | None) -> Pairs:
    if isinstance(known, str):  # hidden as a whole
        return [("", known)]
    return [(name, _text(value)) for name, value in (known or {}).items()]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
