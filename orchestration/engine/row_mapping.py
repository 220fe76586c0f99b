"""Maps a saga's row to the pure state that decisions are made from, and a decision to the row and its log."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from orchestration.contracts.codec import encode
from orchestration.contracts.command import defaults_of
from orchestration.models import Deadlock, SagaInstance, SagaLogEntry
from orchestration.protocol.deadlocks import successor_key
from orchestration.protocol.events import DeadlockFound
from orchestration.protocol.failure_summary import FailureSummary
from orchestration.protocol.saga import LONGEST_WAIT, Saga
from orchestration.protocol.states import ENDED, LEADS_TO, Decision, Entry, Kind, LockWait, Phase, State

_SETS = {
    "done": "done",
    "undone": "undone",
    "held": "backing_off",
    "parked": "parked",
    "settled": "settled",
    "skipped": "skipped",
}
"""The keys of `progress` that hold sets of steps, each with its field of the state. Stored keys keep their names."""

RETRIED_WITHIN = timedelta(seconds=1)
"""The longest wait before the work of a deadlock's victim is tried again, with full jitter."""


@dataclass(frozen=True)
class Origin:
    """The customer and the idempotency key, unique together. `request_hash` shows whether a request is a repetition."""

    customer_id: str
    idempotency_key: str
    request_hash: str


def new_instance(saga: Saga, request: Any, saga_id: UUID, origin: Origin, now: datetime) -> SagaInstance:
    """Return the row of a saga that begins now."""
    deadline_at = now + saga.deadline
    return SagaInstance(
        id=saga_id,
        definition=saga.name,
        customer_id=origin.customer_id,
        idempotency_key=origin.idempotency_key,
        request_hash=origin.request_hash,
        order_id=getattr(request, "order_id", None),
        request=without_defaults(request),
        dispatched_at=now,
        due_at=min(now + settings.PRESUMED_LOST_AFTER, deadline_at),
        deadline_at=deadline_at,
        created_at=now,
        changed_at=now,
        **columns_of(State(skipped=saga.skipped_for(request)), FailureSummary()),
    )


def without_defaults(request: Any) -> dict[str, Any]:
    """Encode a request without the fields that have their default value, so that rows and messages stay short."""
    defaults = defaults_of(type(request))
    return {
        name: value
        for name, value in encode(request).items()
        if name not in defaults or getattr(request, name) != defaults[name]
    }


def successor_of(victim: SagaInstance, saga_id: UUID, *, jitter: float, now: datetime) -> SagaInstance:
    """Return the row of the saga that does the work of this victim again, in the rest of its time.

    Recovery dispatches it after a random wait, so that the sagas of a deadlock do not meet again at once.
    """
    count = victim.victim_count + 1
    return SagaInstance(
        id=saga_id,
        definition=victim.definition,
        customer_id=victim.customer_id,
        idempotency_key=successor_key(victim.idempotency_key, count),
        request_hash=victim.request_hash,
        order_id=victim.order_id,
        request=victim.request,
        retry_of=victim.pk,
        victim_count=count,
        dispatched_at=now,
        due_at=min(now + RETRIED_WITHIN * jitter, victim.deadline_at),
        deadline_at=victim.deadline_at,
        created_at=now,
        changed_at=now,
        **columns_of(State(in_flight=False, skipped=state_of(victim).skipped), FailureSummary()),
    )


def deadlock_of(victim: SagaInstance, event: DeadlockFound, now: datetime) -> Deadlock:
    """Return the record of the deadlock that ends when this saga is given up."""
    return Deadlock(
        victim_id=victim.pk,
        cycle=[str(saga_id) for saga_id in event.cycle],
        resources=list(event.resources),
        definitions=list(event.definitions),
        reason=event.reason,
        found_at=now,
    )


def columns_after(instance: SagaInstance, decision: Decision, answers: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the columns of the row after the decision. `answers` are the facts that are new."""
    summary = failure_summary_of(instance).after(decision.entries, decision.state)
    return columns_of(decision.state, summary) | {
        "version": instance.version + 1,
        "answers": instance.answers | answers,
        "log_length": instance.log_length + len(decision.entries),
        "due_at": _due_at(instance, decision, now),
        "dispatched_at": now if decision.command else instance.dispatched_at,
        "changed_at": now,
        "ended_at": now if decision.state.phase in ENDED else None,
    }


def with_columns(instance: SagaInstance, columns: Mapping[str, Any]) -> SagaInstance:
    """Return a copy of the saga with these columns."""
    decided = copy(instance)
    for name, value in columns.items():
        setattr(decided, name, value)
    return decided


def log_entries(instance: SagaInstance, entries: tuple[Entry, ...], *, first: int, now: datetime) -> list[SagaLogEntry]:
    """Return the log entries to write. `instance` is the saga before them; an entry may change its phase and token."""
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
        at = min(at, now + LONGEST_WAIT, decision.latest or at)
    return min(at, instance.deadline_at) if state.phase is Phase.RUNNING else at


def state_of(instance: SagaInstance) -> State:
    """Return the state in the row."""
    progress = instance.progress
    sets = {field: frozenset(progress.get(key, ())) for key, field in _SETS.items()}
    return State(
        phase=Phase(instance.phase),
        token=instance.token,
        in_flight=instance.in_flight,
        **sets,
        paused=instance.paused,
        failures=progress.get("failures", {}),
        failure=instance.failure,
        wait=_wait_of(instance),
    )


def _wait_of(instance: SagaInstance) -> LockWait | None:
    if instance.waits_for is None or instance.waits_since is None:
        return None
    return LockWait(instance.progress["waits"], instance.waits_on, instance.waits_for, instance.waits_since)


def failure_summary_of(instance: SagaInstance) -> FailureSummary:
    """Return the errors and waits in the row."""
    progress = instance.progress
    return FailureSummary(progress.get("errors", {}), frozenset(progress.get("waiting", ())), instance.last_error)


def columns_of(state: State, summary: FailureSummary) -> dict[str, Any]:
    """Return the columns of the row that hold both."""
    sets = {key: sorted(getattr(state, field)) for key, field in _SETS.items()}
    progress = {name: steps for name, steps in sets.items() if steps}
    if state.failures:
        progress["failures"] = dict(state.failures)  # type: ignore[assignment]
    wait = state.wait
    if wait is not None:
        progress["waits"] = wait.step  # type: ignore[assignment]
    return {
        "phase": state.phase.value,
        "token": state.token,
        "in_flight": state.in_flight,
        "progress": progress | summary.progress(),
        "parked": bool(state.parked),
        "paused": state.paused,
        "failure": state.failure,
        "waits_for": wait.holder if wait else None,
        "waits_on": wait.resource if wait else "",
        "waits_since": wait.since if wait else None,
    } | summary.columns(state)


def undelivered(instance: SagaInstance) -> dict[str, Any]:
    """Return the columns of the row whose command did not reach the broker."""
    return columns_of(replace(state_of(instance), in_flight=False), failure_summary_of(instance).without_broker())
