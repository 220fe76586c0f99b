"""Reads sagas and the progress of their steps."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import Error
from django.db.models import QuerySet

from orchestration.db import deadline
from orchestration.db.connections import borrowed
from orchestration.models import ALIAS, SagaInstance, SagaLogEntry
from orchestration.participant.ledger import LedgerRow, Status
from orchestration.participant.participant import participants
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Kind, Phase
from orchestration.sagas import definition_of

SERVICES_READ_WITHIN = 3.0
"""Seconds to read the databases of all services. A silent database may use half of the time left, not all of it."""

WAITING, UNREADABLE, SKIPPED = "waiting", "unreadable", "skipped"
"""The status of a step without a ledger row or that waits for a lock, of one whose service's database does not answer,
and of one that the saga does not need."""


@dataclass(frozen=True)
class StepProgress:
    """The progress of a step. `status` is that of its ledger row, or waiting, unreadable or skipped."""

    name: str
    service: str
    status: str
    since: datetime | None
    attempts: int
    """Consecutive failed tries, plus the one that is running."""
    last_error: dict[str, Any] | None


class Logged(NamedTuple):
    """The fields of a saga log entry that are shown."""

    kind: str
    step: str
    phase: str
    detail: dict[str, Any]
    at: datetime


class Seen(NamedTuple):
    """The fields of a ledger row that are shown."""

    step: str
    status: str
    changed_at: datetime


Remembered = Sequence[LedgerRow] | Sequence[Seen]
"""One ledger's rows of one saga."""


def saga(saga_id: UUID) -> SagaInstance | None:
    """Return the saga, or None if there is none."""
    return SagaInstance.objects.using(ALIAS).filter(pk=saga_id).first()


def saga_by_key(customer_id: str, idempotency_key: str) -> SagaInstance | None:
    """Return the saga that this customer started with this key, or None."""
    return SagaInstance.objects.using(ALIAS).filter(customer_id=customer_id, idempotency_key=idempotency_key).first()


def retried_by(saga_ids: Sequence[UUID]) -> list[UUID]:
    """Return the victims of deadlocks whose work these sagas do again, directly or after other successors."""
    found: list[UUID] = []
    before: Sequence[UUID] = saga_ids
    with borrowed(ALIAS):
        while before:
            rows = SagaInstance.objects.using(ALIAS).filter(pk__in=before).values_list("retry_of", flat=True)
            before = [victim for victim in rows if victim]
            found += before
    return found


def sagas_of_order(order_id: UUID, definitions: Collection[str]) -> QuerySet[SagaInstance]:
    """Return the sagas of these definitions that are about the order, newest first."""
    return SagaInstance.objects.using(ALIAS).filter(order_id=order_id, definition__in=definitions).order_by("-id")


def log_of(saga_id: UUID) -> list[SagaLogEntry]:
    """Return the saga's log, oldest entry first."""
    return list(SagaLogEntry.objects.using(ALIAS).filter(saga_id=saga_id).order_by("sequence"))


def progress(
    instance: SagaInstance,
    log: Iterable[SagaLogEntry | Logged] | None = None,
    ledgers: Mapping[str, Remembered | None] | None = None,
) -> list[StepProgress]:
    """Return the progress of each step of the saga, as the services' ledgers state it now."""
    definition = definition_of(instance.definition)
    errors = _last_errors(log_of(instance.pk) if log is None else log)
    found = _ledgers(_services(definition), instance.pk) if ledgers is None else ledgers
    return [
        _progress(instance, step.name, step.action.service, found[step.action.service], errors.get(step.name))
        for step in definition.steps
    ]


def ledger_rows(instance: SagaInstance) -> dict[str, list[LedgerRow] | None]:
    """Return each service's ledger rows of the saga, oldest first. None where its database does not answer."""
    return _ledgers(participants(), instance.pk)


def pivot_is_done(instance: SagaInstance) -> bool:
    """Return whether the pivot is done. Read its ledger row while the saga row does not state it yet.

    :raises django.db.Error: when that row cannot be read. A guess could contradict an earlier answer.
    """
    phase = Phase(instance.phase)
    if phase not in (Phase.RUNNING, Phase.BARRING):
        return phase in (Phase.FINISHING, Phase.COMPLETED)
    pivot = definition_of(instance.definition).pivot
    ledger = participants()[pivot.action.service].ledger._default_manager.using(pivot.action.service)
    with borrowed(pivot.action.service):
        return ledger.filter(saga_id=instance.pk, step=pivot.name, status=Status.DONE).exists()


def _services(definition: Saga) -> list[str]:
    return list(dict.fromkeys(step.action.service for step in definition.steps))


def _ledgers(services: Iterable[str], saga_id: UUID) -> dict[str, list[LedgerRow] | None]:
    with deadline.within(SERVICES_READ_WITHIN):
        return {service: _ledger_rows(service, saga_id) for service in services}


def _ledger_rows(service: str, saga_id: UUID) -> list[LedgerRow] | None:
    try:
        ledger = participants()[service].ledger
        with deadline.half_of_the_rest(), borrowed(service):
            return list(ledger._default_manager.using(service).filter(saga_id=saga_id).order_by("created_at", "pk"))
    except Error:
        return None


def _last_errors(log: Iterable[SagaLogEntry | Logged]) -> dict[str, dict[str, Any]]:
    return {entry.step: entry.detail for entry in log if entry.kind in (Kind.FAILED, Kind.WAITING)}


def _progress(
    instance: SagaInstance,
    step: str,
    service: str,
    rows: Remembered | None,
    error: dict[str, Any] | None,
) -> StepProgress:
    row = next((row for row in rows or () if row.step == step), None)
    return StepProgress(
        name=step,
        service=service,
        status=_status(instance, step, rows, row),
        since=row.changed_at if row else None,
        attempts=_attempts(instance, step, row),
        last_error=error,
    )


def _status(instance: SagaInstance, step: str, rows: Remembered | None, row: LedgerRow | Seen | None) -> str:
    if step in instance.progress.get("skipped", ()):
        return SKIPPED
    return UNREADABLE if rows is None else row.status if row else WAITING


def _attempts(instance: SagaInstance, step: str, row: LedgerRow | Seen | None) -> int:
    """Count the failed tries, plus the one that succeeded or is running."""
    failures: int = instance.progress.get("failures", {}).get(step, 0)
    if row is None or row.status == WAITING or step in instance.progress.get("parked", ()):
        return failures
    is_over = row.status not in (Status.WAITING, Status.STARTED, Status.UNDOING)
    return failures + (is_over or instance.in_flight or not failures)
