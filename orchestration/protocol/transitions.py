"""Decides what an event does to a saga: its new state, log entries and next command. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestration.protocol.events import (
    ChainCompleted,
    Contradiction,
    DeadlinePassed,
    DeadlockFound,
    Due,
    Event,
    LockGranted,
    PivotBarred,
    PivotFoundDone,
    StepFailed,
    StepRefused,
    StepsUndone,
    StepWaits,
)
from orchestration.protocol.interventions import TooLate, intervene
from orchestration.protocol.lock_waits import deadlocked, granted, queued, without_old_wait
from orchestration.protocol.next_command import (
    add_done,
    compensate,
    compensated,
    completed,
    forward,
    give_up,
    pending_command,
    pending_compensations,
    retry_wait,
    send,
    sendable_compensations,
    with_entries,
)
from orchestration.protocol.saga import Retry, Saga, brisk
from orchestration.protocol.states import (
    ENDED,
    LOST,
    PIVOT_OPEN,
    UNDOING,
    Decision,
    Entry,
    Kind,
    Operation,
    Phase,
    State,
    Undo,
)

__all__ = ("Contradiction", "TooLate", "decide")


def decide(saga: Saga, state: State, event: Event, *, jitter: float) -> Decision | None:
    """Decide what the event changes. Return None when it changes nothing: a duplicate, a late report, an ended saga.

    :param jitter: uniform in [0, 1), for the wait before a retry.
    :raises Contradiction: when the event is impossible under the protocol.
    :raises TooLate: when the event would undo the saga after its pivot.
    """
    decision = _decided(saga, state, event, jitter)
    if decision is None:
        return None
    decision = without_old_wait(decision, event)
    return _while_paused(state, decision) if decision.state.paused else decision


def _decided(saga: Saga, state: State, event: Event, jitter: float) -> Decision | None:
    match event:
        case StepRefused():
            return _refused(saga, state, event, jitter)
        case StepFailed():
            return _failed(saga, state, event, jitter)
        case StepWaits():
            return queued(saga, state, event, jitter)
        case LockGranted():
            return granted(saga, state, event)
        case DeadlockFound():
            return deadlocked(state, event)
        case ChainCompleted():
            return _completed(saga, state, event)
        case PivotBarred():
            return _pivot_barred(saga, state)
        case PivotFoundDone():
            return _pivot_found_done(saga, state)
        case StepsUndone():
            return _undone(saga, state, event, jitter)
        case DeadlinePassed():
            return _deadline_passed(state)
        case Due():
            return _due(saga, state, event)
        case _:
            return intervene(saga, state, event, jitter)


def _while_paused(old: State, decision: Decision) -> Decision:
    """Record the report of a paused saga. Send no command, schedule no retry. If the saga ended, clear the pause."""
    if decision.state.phase in ENDED:
        return replace(decision, state=replace(decision.state, paused=False))
    if decision.command is None:
        return replace(decision, due=None, latest=None)
    entries = tuple(entry for entry in decision.entries if entry.kind is not Kind.SENT)
    return Decision(replace(decision.state, token=old.token, in_flight=False), entries)


def _refused(saga: Saga, state: State, event: StepRefused, jitter: float) -> Decision | None:
    if saga.position_of(event.step) > saga.pivot_position:
        return _refused_after_pivot(saga, state, event, jitter)
    if state.phase in UNDOING:
        return None
    if state.phase not in PIVOT_OPEN:
        raise Contradiction(f"{event.step} is refused although the saga is {state.phase}")
    state, entries = add_done(state, event.done)
    entries += (Entry(Kind.REFUSED, event.step, event.refusal),)
    failure = state.failure or _failure_of(event.refusal)
    return compensate(saga, replace(state, failure={**failure, "refused": event.step}), entries)


def _failure_of(refusal: Mapping[str, Any]) -> dict[str, Any]:
    facts = {"facts": refusal["facts"]} if refusal.get("facts") else {}
    return {"code": refusal["code"], "detail": refusal.get("detail", ""), **facts}


def _refused_after_pivot(saga: Saga, state: State, event: StepRefused, jitter: float) -> Decision | None:
    """Park the step, unless an operator has settled it. It can neither succeed nor be undone."""
    if event.step in state.settled:
        return _after_settled_step(saga, state, event)
    if state.phase in ENDED | UNDOING:
        raise Contradiction(f"{event.step} is refused although the saga is {state.phase}")
    if event.step in state.parked:
        return None
    state, entries = add_done(state, event.done)
    failed = StepFailed(event.step, Operation.ACTION, state.token, event.refusal, permanent=True)
    return with_entries(entries, _failed_after_pivot(saga, state, failed, jitter))


def _after_settled_step(saga: Saga, state: State, event: StepRefused) -> Decision | None:
    """Send the steps after a settled one. The chain ended at the refused step, so they are still pending."""
    if not state.in_flight:
        return None
    state, entries = add_done(state, event.done)
    rest = forward(saga, state)
    return completed(state, entries) if rest.position == len(saga.steps) else send(state, rest, entries)


def _failed(saga: Saga, state: State, event: StepFailed, jitter: float) -> Decision | None:
    if event.token != state.token or not state.in_flight:
        return None
    match event.operation:
        case Operation.COMPENSATION:
            return _compensation_failed(saga, state, event, jitter)
        case Operation.BAR:
            return _wait_or_retry(state, event, brisk, jitter)
        case Operation.ACTION:
            state, entries = add_done(state, event.done)
            # A chain reaches a step after the pivot only through the pivot.
            pivot_done = state.phase is Phase.FINISHING or saga.position_of(event.step) > saga.pivot_position
            follow = _failed_after_pivot if pivot_done else _failed_before_pivot
            return with_entries(entries, follow(saga, state, event, jitter))


def _failed_before_pivot(saga: Saga, state: State, event: StepFailed, jitter: float) -> Decision:
    retry = saga.by_name[event.step].retry
    tries = state.failures.get(event.step, 0) + 1
    exhausted = retry.attempts is not None and tries >= retry.attempts and event.until is None
    if not (exhausted or event.permanent):
        return _wait_or_retry(state, event, retry, jitter)
    entry = Entry(Kind.FAILED, event.step, event.error)
    return with_entries((entry,), give_up(state, code="step_failed", detail=f"{event.step} failed."))


def _failed_after_pivot(saga: Saga, state: State, event: StepFailed, jitter: float) -> Decision:
    entries: tuple[Entry, ...] = ()
    if state.phase is not Phase.FINISHING:
        state = replace(state, phase=Phase.FINISHING, failures={}, failure=None)
        entries = (Entry(Kind.PIVOT_DONE, saga.pivot.name),)
    return with_entries(entries, _retry_or_park(saga, state, event, jitter))


def _compensation_failed(saga: Saga, state: State, event: StepFailed, jitter: float) -> Decision:
    decision = _retry_or_park(saga, replace(state, backing_off=state.backing_off | {event.step}), event, jitter)
    others = sendable_compensations(saga, decision.state)
    return send(decision.state, Undo(others), decision.entries) if others else decision


def _retry_or_park(saga: Saga, state: State, event: StepFailed, jitter: float) -> Decision:
    retry = saga.by_name[event.step].retry
    decision = _wait_or_retry(state, event, retry, jitter)
    if not event.permanent and decision.state.failures.get(event.step, 0) < retry.park_after:
        return decision
    parked = replace(decision.state, parked=state.parked | {event.step})
    due = retry_wait(saga, parked, jitter) if state.phase is Phase.COMPENSATING else None
    return Decision(parked, (*decision.entries, Entry(Kind.PARKED, event.step, event.error)), due=due)


def _wait_or_retry(state: State, event: StepFailed, retry: Retry, jitter: float) -> Decision:
    idle = replace(state, in_flight=False)
    if event.until is not None:
        spread = retry.first * jitter  # otherwise all sagas that wait for the breaker would retry at once
        return Decision(idle, (Entry(Kind.WAITING, event.step, event.error),), due=event.until + spread)
    tries = state.failures.get(event.step, 0) + 1
    idle = replace(idle, failures={**state.failures, event.step: tries})
    return Decision(idle, (Entry(Kind.FAILED, event.step, event.error),), due=retry.delay(tries, jitter))


def _completed(saga: Saga, state: State, event: ChainCompleted) -> Decision | None:
    if state.phase is Phase.COMPLETED:
        return None
    if state.phase in UNDOING:
        raise Contradiction(f"the chain is completed although the saga is {state.phase}")
    state, entries = add_done(state, event.done)
    if missing := [step.name for step in saga.steps if step.name not in state.done | state.skipped]:
        raise Contradiction(f"the chain is completed without {', '.join(missing)}")
    return completed(state, entries)


def _pivot_barred(saga: Saga, state: State) -> Decision | None:
    if state.phase in UNDOING:
        return None
    if state.phase is not Phase.BARRING:
        raise Contradiction(f"the pivot is barred although the saga is {state.phase}")
    return compensate(saga, state, (Entry(Kind.PIVOT_BARRED, saga.pivot.name),))


def _pivot_found_done(saga: Saga, state: State) -> Decision | None:
    if state.phase in (Phase.FINISHING, Phase.COMPLETED):
        return None
    if state.phase is not Phase.BARRING:
        raise Contradiction(f"the pivot is done although the saga is {state.phase}")
    committed = replace(state, phase=Phase.FINISHING, failures={}, failure=None)
    return send(committed, forward(saga, committed), (Entry(Kind.PIVOT_DONE, saga.pivot.name),))


def _undone(saga: Saga, state: State, event: StepsUndone, jitter: float) -> Decision | None:
    if state.phase is Phase.COMPENSATED:
        return None
    if state.phase is not Phase.COMPENSATING:
        raise Contradiction(f"steps are undone although the saga is {state.phase}")
    news = [(step, at) for step, at in event.undone if step not in state.undone]
    steps = frozenset(step for step, _ in news)
    entries = tuple(Entry(Kind.UNDONE, step, at=at) for step, at in news)
    state = replace(
        state, undone=state.undone | steps, backing_off=state.backing_off - steps, parked=state.parked - steps
    )
    if not pending_compensations(saga, state):
        return compensated(state, entries)
    if not news:
        return None
    return Decision(replace(state, in_flight=False), entries, due=retry_wait(saga, state, jitter))


def _deadline_passed(state: State) -> Decision | None:
    if state.phase is not Phase.RUNNING or state.paused:
        return None
    return give_up(state, code="deadline_passed", detail="It was not done in time.")


def _due(saga: Saga, state: State, event: Due) -> Decision | None:
    if state.paused:
        return None
    state = replace(state, backing_off=frozenset())
    command = pending_command(saga, state)
    if command is None or event.token not in (None, state.token):
        return None
    lost = state.failures.get(LOST, 0) + 1 if event.lost else 0
    if not lost:
        return send(state, command)
    decision = send(replace(state, failures={**state.failures, LOST: lost}), command, lost=True)
    return replace(decision, due=brisk.delay(lost, 1.0))
