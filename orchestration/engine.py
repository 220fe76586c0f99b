"""The shell around decisions: read the row, decide, compare-and-set, log, dispatch after the commit."""

import logging
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connections, transaction

from orchestration import dispatch, selectors
from orchestration.contracts.codec import encode
from orchestration.models import ALIAS, SagaInstance, SagaLogEntry
from orchestration.saga import Saga
from orchestration.sagas import definition_of
from orchestration.snapshot import columns_of, state_of
from orchestration.states import (
    ENDED,
    LEADS_TO,
    CancelRequested,
    Command,
    Decision,
    Entry,
    Event,
    Forward,
    Kind,
    Phase,
    Resumed,
    State,
)
from orchestration.transitions import decide

logger = logging.getLogger(__name__)

NOTHING: Mapping[str, Any] = {}


class NoSuchSaga(LookupError):
    """There is no saga of this id."""


class KeyReused(Exception):
    """The customer has used this idempotency key for another request."""


class KeyInProgress(Exception):
    """A request with this idempotency key is being accepted right now."""


class RequestUnlike(TypeError):
    """The request is not of the type that the saga definition asks for."""


class _SomebodyWasFaster(Exception):
    """The row was changed between reading and writing it."""


@dataclass(frozen=True)
class Started:
    """A saga that stands: started now (`created`), or by an earlier request with the same key."""

    saga_id: UUID
    created: bool


@dataclass(frozen=True)
class Origin:
    """Who asks for a saga: unique per customer and key; `request_hash` tells a repetition from a reuse of the key."""

    customer_id: str
    idempotency_key: str
    request_hash: str


def start_saga(saga: Saga, request: Any, *, saga_id: UUID, origin: Origin, now: datetime) -> Started:
    """Write the saga down and, once that is committed, dispatch it. This is orchestration's one door.

    A dead broker changes nothing for the caller: the row says what is owed and recovery dispatches it.

    :raises KeyReused: when the key stands for a request with another hash.
    :raises KeyInProgress: when the same key is being accepted by somebody else at this moment.
    """
    if not isinstance(request, saga.request):
        raise RequestUnlike(f"{saga.name} asks for {saga.request.__name__}, not {type(request).__name__}")
    instance = _new_instance(saga, request, saga_id, origin, now)
    try:
        with transaction.atomic(using=ALIAS):
            _take_key(origin)
            instance.save(using=ALIAS, force_insert=True)
            _write_entries(instance, (Entry(Kind.STARTED),), first=1, now=now)
            transaction.on_commit(lambda: _send(instance, Forward(0)), using=ALIAS, robust=True)
    except IntegrityError as error:
        return _earlier(origin, error)
    return Started(saga_id, created=True)


def apply(saga_id: UUID, event: Event, *, now: datetime, known: Mapping[str, Any] = NOTHING) -> SagaInstance:
    """Let an event happen to a saga: one compare-and-set and its log entries, in one transaction.

    `known` is what the event's message carried: the request's facts and what steps have answered.
    When somebody else was faster the row is read and decided on again. Events that change nothing leave no trace.

    :raises NoSuchSaga: when there is none.
    :raises UnknownDefinition: when this code lacks the saga's definition.
    :raises TooLate: when a cancel comes after the pivot.
    :raises Contradiction: when the event cannot be true if the protocol holds.
    """
    while True:
        with suppress(_SomebodyWasFaster):
            return _apply_once(saga_id, event, known, now)


def cancel_saga(saga_id: UUID, *, now: datetime) -> SagaInstance:
    """Give the saga up, unless its pivot is done. Asking again changes nothing.

    :raises TooLate: when the pivot is done.
    """
    return apply(saga_id, CancelRequested(), now=now)


def resume_saga(saga_id: UUID, *, by: str, reason: str, now: datetime) -> SagaInstance:
    """Try what the saga owes again now, parked steps too; an ended saga stays as it is."""
    return apply(saga_id, Resumed(by=by, reason=reason), now=now)


def _apply_once(saga_id: UUID, event: Event, known: Mapping[str, Any], now: datetime) -> SagaInstance:
    instance = SagaInstance.objects.using(ALIAS).filter(pk=saga_id).first()
    if instance is None:
        raise NoSuchSaga(f"there is no saga {saga_id}")
    decision = decide(definition_of(instance.definition), state_of(instance), event, jitter=random.random())
    if decision is not None:
        answers = {name: fact for name, fact in known.items() if name not in instance.request}
        with transaction.atomic(using=ALIAS):
            _compare_and_set(instance, decision, answers, now)
    return instance


def _new_instance(saga: Saga, request: Any, saga_id: UUID, origin: Origin, now: datetime) -> SagaInstance:
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
        **columns_of(State()),
    )


def _take_key(origin: Origin) -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"{origin.customer_id}\n{origin.idempotency_key}"],
        )
        if not cursor.fetchone()[0]:
            raise KeyInProgress(KeyInProgress.__doc__)


def _earlier(origin: Origin, error: IntegrityError) -> Started:
    instance = selectors.saga_by_key(origin.customer_id, origin.idempotency_key)
    if instance is None:
        raise error
    if instance.request_hash != origin.request_hash:
        raise KeyReused(KeyReused.__doc__)
    return Started(instance.id, created=False)


def _compare_and_set(instance: SagaInstance, decision: Decision, answers: dict[str, Any], now: datetime) -> None:
    """Write the decision and its log entries, and bring `instance` up to date.

    :raises _SomebodyWasFaster: when the row is not any more as it was read.
    """
    changed = columns_of(decision.state) | {
        "version": instance.version + 1,
        "answers": instance.answers | answers,
        "log_length": instance.log_length + len(decision.entries),
        "due_at": _due_at(instance, decision, now),
        "dispatched_at": now if decision.command else instance.dispatched_at,
        "changed_at": now,
        "ended_at": now if decision.state.phase in ENDED else None,
    }
    row = SagaInstance.objects.using(ALIAS).filter(pk=instance.pk, phase=instance.phase, version=instance.version)
    if not row.update(**changed):
        raise _SomebodyWasFaster
    _write_entries(instance, decision.entries, first=instance.log_length + 1, now=now)
    for name, value in changed.items():
        setattr(instance, name, value)
    if command := decision.command:
        transaction.on_commit(lambda: _send(instance, command), using=ALIAS, robust=True)


def _due_at(instance: SagaInstance, decision: Decision, now: datetime) -> datetime | None:
    state, due = decision.state, decision.due
    if state.phase in ENDED or (due is None and decision.command is None and state.parked):
        return None
    if decision.command:
        extra = due if isinstance(due, timedelta) else timedelta(0)
        due = settings.PRESUMED_LOST_AFTER + extra
    at = due if isinstance(due, datetime) else now + (due or timedelta(0))
    return min(at, instance.deadline_at) if state.phase is Phase.RUNNING else at


def _write_entries(instance: SagaInstance, entries: tuple[Entry, ...], *, first: int, now: datetime) -> None:
    """Write the entries; `instance` is as it was before them, and each changes its phase or token from then on."""
    phase, token, written = instance.phase, instance.token, []
    for sequence, entry in enumerate(entries, start=first):
        phase = LEADS_TO.get(entry.kind, phase)
        token += entry.kind is Kind.SENT
        written.append(
            SagaLogEntry(
                saga=instance,
                sequence=sequence,
                kind=entry.kind.value,
                step=entry.step,
                phase=phase,
                token=token,
                detail=dict(entry.detail),
                at=entry.at or now,
            )
        )
    SagaLogEntry.objects.using(ALIAS).bulk_create(written)


def _send(instance: SagaInstance, command: Command) -> None:
    """Dispatch after the commit; what cannot be sent now is due again soon, and the caller never hears of it."""
    try:
        dispatch.send(instance, command)
    except dispatch.BrokerAway as error:
        logger.warning("saga %s not dispatched, recovery will: %s", instance.pk, error)
        dispatch.mark_undelivered(instance)
