"""What a decision makes of a saga's row and of its log."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from orchestration.contracts.codec import encode
from orchestration.engine.snapshot import columns_of, trouble_of
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.protocol.failure_summary import Trouble
from orchestration.protocol.saga import LONGEST_WAIT, Saga
from orchestration.protocol.states import ENDED, LEADS_TO, Decision, Entry, Kind, Phase, State


@dataclass(frozen=True)
class Origin:
    """Who asks for a saga: unique per customer and key; `request_hash` tells a repetition from a reuse of the key."""

    customer_id: str
    idempotency_key: str
    request_hash: str


def new_instance(saga: Saga, request: Any, saga_id: UUID, origin: Origin, now: datetime) -> SagaInstance:
    """The row of a saga that begins now."""
    deadline_at = now + saga.deadline
    return SagaInstance(
        id=saga_id,
        definition=saga.name,
        customer_id=origin.customer_id,
        idempotency_key=origin.idempotency_key,
        request_hash=origin.request_hash,
        order_id=getattr(request, "order_id", None),
        request=encode(request),
        dispatched_at=now,
        due_at=min(now + settings.PRESUMED_LOST_AFTER, deadline_at),
        deadline_at=deadline_at,
        created_at=now,
        changed_at=now,
        **columns_of(State(), Trouble()),
    )


def columns_after(instance: SagaInstance, decision: Decision, answers: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The row's columns as the decision has them; `answers` are facts that are news."""
    trouble = trouble_of(instance).after(decision.entries, decision.state)
    return columns_of(decision.state, trouble) | {
        "version": instance.version + 1,
        "answers": instance.answers | answers,
        "log_length": instance.log_length + len(decision.entries),
        "due_at": _due_at(instance, decision, now),
        "dispatched_at": now if decision.command else instance.dispatched_at,
        "changed_at": now,
        "ended_at": now if decision.state.phase in ENDED else None,
    }


def with_columns(instance: SagaInstance, columns: Mapping[str, Any]) -> SagaInstance:
    """The saga as it is with these columns; the one given stays as it was read."""
    decided = copy(instance)
    for name, value in columns.items():
        setattr(decided, name, value)
    return decided


def log_entries(instance: SagaInstance, entries: tuple[Entry, ...], *, first: int, now: datetime) -> list[SagaLogEntry]:
    """The log entries to be; `instance` is as it was before them, and each changes its phase or token from then on."""
    phase, token, written = instance.phase, instance.token, []
    for sequence, entry in enumerate(entries, start=first):
        phase = LEADS_TO.get(entry.kind, phase)
        token += entry.kind is Kind.SENT
        written.append(
            SagaLogEntry(
                saga_id=instance.pk,
                sequence=sequence,
                kind=entry.kind.value,
                step=entry.step,
                phase=phase,
                token=token,
                detail=dict(entry.detail),
                at=entry.at or now,
            )
        )
    return written


def _due_at(instance: SagaInstance, decision: Decision, now: datetime) -> datetime | None:
    state, due = decision.state, decision.due
    if state.phase in ENDED or state.paused or (due is None and decision.command is None and state.parked):
        return None
    if decision.command:
        extra = due if isinstance(due, timedelta) else timedelta(0)
        due = settings.PRESUMED_LOST_AFTER + extra
    at = due if isinstance(due, datetime) else now + (due or timedelta(0))
    if not decision.command:  # a breaker may be open for hours
        at = min(at, now + LONGEST_WAIT)
    return min(at, instance.deadline_at) if state.phase is Phase.RUNNING else at
