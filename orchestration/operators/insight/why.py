"""The why line: one sentence on why a saga does not move, and one on what happens next automatically."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from orchestration.db import clocks
from orchestration.engine.row_mapping import failure_summary_of, state_of
from orchestration.messaging import routing
from orchestration.messaging.topology import ORCHESTRATOR
from orchestration.models import ALIAS, SagaInstance, SagaLogEntry
from orchestration.operators.insight import breakers, db_locks, dead_letters, queues
from orchestration.operators.insight.breakers import BreakerNow
from orchestration.operators.insight.db_locks import Blocked
from orchestration.operators.insight.dead_letters import DeadLetter
from orchestration.operators.insight.lock_waits import LockWaitNow
from orchestration.operators.insight.message_position import MessagePosition, message_position
from orchestration.operators.insight.queues import QueueNow, Queues
from orchestration.operators.insight.saga_view import SagaView, saga_view_of
from orchestration.operators.insight.sources import Unavailable
from orchestration.operators.insight.status import ENDS, SagaStatus, status_of
from orchestration.operators.insight.why_facts import Facts, LogReport, Why
from orchestration.operators.insight.why_rules import decide
from orchestration.protocol.failure_summary import BROKER
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Kind, Operation
from orchestration.sagas import UnknownDefinition, definition_of

_EXPLAINED_BY_ROW = ENDS | {SagaStatus.PAUSED}
"""Statuses that the saga's own records explain, so that no other source is read."""


def why(saga_id: UUID) -> Why | None:
    """Explain why this saga does not move; None if there is no such saga."""
    view = saga_view_of(saga_id)
    return None if view is None else why_of(view, now=clocks.now())


def why_of(view: SagaView, *, now: datetime) -> Why:
    """Explain why a saga that was already read does not move. `unread` names the sources that do not answer."""
    facts = _recorded_facts(view, now)
    if facts.knows_definition and facts.status not in _EXPLAINED_BY_ROW:
        facts = _with_live_facts(facts, view)
    unread = {each.why for each in _answers(facts) if isinstance(each, Unavailable)}
    return replace(decide(facts), unread=tuple(sorted(unread)))


def _recorded_facts(view: SagaView, now: datetime) -> Facts:
    """Return the facts that the saga's row, its log and the ledgers hold."""
    instance, log = view.instance, view.log
    saga = _definition(instance)
    where = message_position(saga, state_of(instance), view.ledgers) if saga else None
    return Facts(
        now=now,
        status=status_of(instance),
        definition=instance.definition,
        phase=instance.phase,
        in_flight=instance.in_flight,
        dispatched_at=instance.dispatched_at,
        due_at=instance.due_at,
        deadline_at=instance.deadline_at,
        ended_at=instance.ended_at,
        failed_tries=instance.failed_tries,
        failing_step=instance.failing_step,
        recovery_period=settings.RECOVERY_PERIOD,
        where=where,
        knows_definition=saga is not None,
        failed=_newest(log, {Kind.FAILED, Kind.WAITING}, instance.failing_step),
        parked=tuple(_parked(instance, log)),
        paused=_newest(log, {Kind.PAUSED}),
        database=_unavailable_database(where, view.ledgers),
        lock=_lock(view, saga) if saga else None,
        retried_by=view.retried_by,
    )


def _with_live_facts(facts: Facts, view: SagaView) -> Facts:
    """Add the present state of queues, breaker, dead letters and locks."""
    where, instance = facts.where, view.instance
    found = queues.every_queue()
    reports = _queue(found, settings.TOPOLOGY.name(ORCHESTRATOR))
    facts = replace(facts, reports=reports, breaker=_breaker(facts, instance))
    if where is None or not facts.in_flight:
        return facts
    return replace(
        facts,
        queue=_queue(found, routing.queue_of(where.task)) if where.step else facts.reports,
        dead_letters=_dead_letters(instance, found),
        blocked=_blocked(facts, instance, where),
    )


def _answers(facts: Facts) -> Iterable[object]:
    return (facts.queue, facts.reports, facts.breaker, facts.dead_letters, facts.blocked, facts.database)


def _definition(instance: SagaInstance) -> Saga | None:
    try:
        return definition_of(instance.definition)
    except UnknownDefinition:
        return None


def _newest(log: list[SagaLogEntry], kinds: set[Kind], step: str = "") -> LogReport | None:
    report = (entry for entry in reversed(log) if entry.kind in kinds and (not step or entry.step == step))
    return next((LogReport(entry.step, entry.at, entry.detail) for entry in report), None)


def _parked(instance: SagaInstance, log: list[SagaLogEntry]) -> Iterable[LogReport]:
    parked = instance.progress.get("parked", ())
    for step in sorted(parked, key=lambda name: (name != instance.failing_step, name)):
        yield _newest(log, {Kind.PARKED}, step) or LogReport(step, instance.changed_at, {})


def _lock(view: SagaView, saga: Saga) -> LockWaitNow | None:
    instance, wait = view.instance, state_of(view.instance).wait
    if wait is None or BROKER in failure_summary_of(instance).waiting:
        return None
    lock = saga.by_name[wait.step].action.holds
    until = min(wait.since + lock.patience, instance.deadline_at) if lock else instance.deadline_at
    queued = _newest(view.log, {Kind.QUEUED}, wait.step)
    return LockWaitNow(wait, until, before=queued.detail["before"] if queued else 0, holder=view.holder)


def _unavailable_database(where: MessagePosition | None, ledgers: Mapping[str, Any]) -> Unavailable | None:
    if where is None or ledgers.get(where.service, ()) is not None:
        return None
    return Unavailable(f"the database of {where.service} does not answer")


def _queue(found: Queues | Unavailable, name: str | None) -> QueueNow | Unavailable | None:
    return found if isinstance(found, Unavailable) else found.get(name or "")


def _breaker(facts: Facts, instance: SagaInstance) -> BreakerNow | Unavailable | None:
    """Return the breaker of the failing step, else of the step that the message has reached."""
    name = facts.failing_step or (facts.where.step if facts.where else "")
    step = definition_of(instance.definition).by_name.get(name)
    if step is None or (facts.where and facts.where.operation is Operation.BAR):
        return None
    undoing = instance.phase == "compensating"
    command = step.compensation if undoing and step.compensation else step.action
    found = breakers.breaker_of(command.service, command)
    return breakers.look(command.service, found) if found else None


def _dead_letters(instance: SagaInstance, found: Queues | Unavailable) -> tuple[DeadLetter, ...] | Unavailable:
    """Return the dead letters of the message that was sent last. Older messages have been sent again, or were late."""
    queue = _queue(found, settings.TOPOLOGY.dead_letter_queue.name)
    if isinstance(queue, Unavailable) or queue is None or not queue.messages:
        return queue if isinstance(queue, Unavailable) else ()
    of_saga = dead_letters.dead_letters_of(UUID(str(instance.pk)))
    if isinstance(of_saga, Unavailable):
        return of_saga
    return tuple(each for each in of_saga if each.token in (None, instance.token))


def _blocked(facts: Facts, instance: SagaInstance, where: MessagePosition) -> tuple[Blocked, ...] | Unavailable:
    found = db_locks.blocked_sessions(where.service or ALIAS)
    if isinstance(found, Unavailable):
        return found
    return tuple(lock for lock in found if _may_be_ours(lock, instance, where))


def _may_be_ours(lock: Blocked, instance: SagaInstance, where: MessagePosition) -> bool:
    """Return whether the contended row may belong to this saga or be named in its request.

    If the row is not known, the wait counts when it began after the message arrived.
    """
    if lock.names:
        return lock.names == str(instance.pk) or lock.names in _texts(instance.request)
    arrived = where.arrived_at or instance.dispatched_at
    return lock.since is not None and lock.since >= arrived


def _texts(facts: Any) -> set[str]:
    """Return every text in a saga's request."""
    if isinstance(facts, dict):
        return set().union(*map(_texts, facts.values()))
    if isinstance(facts, list):
        return set().union(*map(_texts, facts))
    return {facts} if isinstance(facts, str) else set()
