"""What follows from what: a saga's state and an event make a new state, log entries and a command. Pure."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from orchestration.saga import Retry, Saga, brisk
from orchestration.states import (
    BEFORE_DECISION,
    ENDED,
    LOST,
    UNDOING,
    Bar,
    CancelRequested,
    ChainCompleted,
    Command,
    DeadlinePassed,
    Decision,
    Due,
    Entry,
    Event,
    Forward,
    Kind,
    Operation,
    Phase,
    PivotBarred,
    PivotFoundDone,
    Resumed,
    State,
    StepFailed,
    StepRefused,
    StepsUndone,
    Trail,
    Undo,
)


class Contradiction(Exception):
    """A report that the protocol rules out: an invariant is broken, or a participant lies."""


class TooLate(Exception):
    """The order is placed: there is no way back."""


def decide(saga: Saga, state: State, event: Event, *, jitter: float) -> Decision | None:
    """Say what follows; None when nothing does (a duplicate, a late report, an ended saga).

    :param jitter: uniform in [0, 1), for the wait before a retry.
    :raises Contradiction: when the event cannot be true if the protocol holds.
    :raises TooLate: when a cancel comes after the pivot.
    """
    match event:
        case StepRefused():
            return _refused(saga, state, event, jitter)
        case StepFailed():
            return _failed(saga, state, event, jitter)
        case ChainCompleted():
            return _completed(saga, state, event)
        case PivotBarred():
            return _pivot_barred(saga, state)
        case PivotFoundDone():
            return _pivot_found_done(saga, state)
        case StepsUndone():
            return _undone(saga, state, event, jitter)
        case DeadlinePassed() | CancelRequested():
            return _asked_to_give_up(state, event)
        case Due():
            return _due(saga, state, event)
        case Resumed():
            return _resumed(saga, state, event)


def next_position(saga: Saga, state: State) -> int:
    """The first step whose answer we do not hold; earlier ones need not be asked again."""
    return next((i for i, step in enumerate(saga.steps) if step.name not in state.done), len(saga.steps))


def owed(saga: Saga, state: State) -> tuple[str, ...]:
    """Compensations still to be made, last step first."""
    refused = (state.failure or {}).get("refused")
    names = [step.name for step in reversed(saga.compensable)]
    return tuple(name for name in names if name not in state.undone and name != refused)


def _refused(saga: Saga, state: State, event: StepRefused, jitter: float) -> Decision | None:
    if saga.position_of(event.step) > saga.pivot_position:
        return _refused_after_pivot(saga, state, event, jitter)
    if state.phase in UNDOING:
        return None
    if state.phase not in BEFORE_DECISION:
        raise Contradiction(f"{event.step} is refused although the saga is {state.phase}")
    state, entries = _learn(state, event.done)
    entries += (Entry(Kind.REFUSED, event.step, event.refusal),)
    failure = state.failure or {"code": event.refusal["code"], "detail": event.refusal.get("detail", "")}
    return _compensate(saga, replace(state, failure={**failure, "refused": event.step}), entries)


def _refused_after_pivot(saga: Saga, state: State, event: StepRefused, jitter: float) -> Decision | None:
    """A refusal is final and so is the pivot: only a person can help."""
    if state.phase in ENDED | UNDOING:
        raise Contradiction(f"{event.step} is refused although the saga is {state.phase}")
    if event.step in state.parked:
        return None
    state, entries = _learn(state, event.done)
    failed = StepFailed(event.step, Operation.ACTION, state.token, event.refusal, hopeless=True)
    return _prepend(entries, _failed_after_pivot(saga, state, failed, jitter))


def _failed(saga: Saga, state: State, event: StepFailed, jitter: float) -> Decision | None:
    if event.token != state.token or not state.in_flight:
        return None
    match event.operation:
        case Operation.COMPENSATION:
            return _compensation_failed(saga, state, event, jitter)
        case Operation.BAR:
            return _wait_or_retry(state, event, brisk, jitter)
        case Operation.ACTION:
            state, entries = _learn(state, event.done)
            # A chain reaches a step behind the pivot only through the pivot.
            pivot_done = state.phase is Phase.FINISHING or saga.position_of(event.step) > saga.pivot_position
            follow = _failed_after_pivot if pivot_done else _failed_before_pivot
            return _prepend(entries, follow(saga, state, event, jitter))


def _failed_before_pivot(saga: Saga, state: State, event: StepFailed, jitter: float) -> Decision:
    retry = saga.by_name[event.step].retry
    tries = state.failures.get(event.step, 0) + 1
    exhausted = retry.attempts is not None and tries >= retry.attempts and event.until is None
    if not (exhausted or event.hopeless):
        return _wait_or_retry(state, event, retry, jitter)
    entry = Entry(Kind.FAILED, event.step, event.error)
    return _prepend((entry,), _give_up(state, code="step_failed", detail=f"{event.step} failed."))


def _failed_after_pivot(saga: Saga, state: State, event: StepFailed, jitter: float) -> Decision:
    entries: tuple[Entry, ...] = ()
    if state.phase is not Phase.FINISHING:
        state = replace(state, phase=Phase.FINISHING, failures={}, failure=None)
        entries = (Entry(Kind.PIVOT_DONE, saga.pivot.name),)
    return _prepend(entries, _retry_or_park(saga, state, event, jitter))


def _compensation_failed(saga: Saga, state: State, event: StepFailed, jitter: float) -> Decision:
    decision = _retry_or_park(saga, replace(state, held=state.held | {event.step}), event, jitter)
    others = _sendable(saga, decision.state)
    return _send(decision.state, Undo(others), decision.entries) if others else decision


def _retry_or_park(saga: Saga, state: State, event: StepFailed, jitter: float) -> Decision:
    retry = saga.by_name[event.step].retry
    decision = _wait_or_retry(state, event, retry, jitter)
    if not event.hopeless and decision.state.failures.get(event.step, 0) < retry.park_after:
        return decision
    parked = replace(decision.state, parked=state.parked | {event.step})
    due = _next_try(saga, parked, jitter) if state.phase is Phase.COMPENSATING else None
    return Decision(parked, (*decision.entries, Entry(Kind.PARKED, event.step, event.error)), due=due)


def _wait_or_retry(state: State, event: StepFailed, retry: Retry, jitter: float) -> Decision:
    idle = replace(state, in_flight=False)
    if event.until is not None:
        spread = retry.first * jitter  # or everyone who waits for the breaker comes at once
        return Decision(idle, (Entry(Kind.WAITING, event.step, event.error),), due=event.until + spread)
    tries = state.failures.get(event.step, 0) + 1
    idle = replace(idle, failures={**state.failures, event.step: tries})
    return Decision(idle, (Entry(Kind.FAILED, event.step, event.error),), due=retry.delay(tries, jitter))


def _completed(saga: Saga, state: State, event: ChainCompleted) -> Decision | None:
    if state.phase is Phase.COMPLETED:
        return None
    if state.phase in UNDOING:
        raise Contradiction(f"the chain is completed although the saga is {state.phase}")
    state, entries = _learn(state, event.done)
    if missing := [step.name for step in saga.steps if step.name not in state.done]:
        raise Contradiction(f"the chain is completed without {', '.join(missing)}")
    ended = replace(state, phase=Phase.COMPLETED, in_flight=False, failure=None, parked=frozenset())
    return Decision(ended, (*entries, Entry(Kind.COMPLETED)))


def _pivot_barred(saga: Saga, state: State) -> Decision | None:
    if state.phase in UNDOING:
        return None
    if state.phase is not Phase.BARRING:
        raise Contradiction(f"the pivot is barred although the saga is {state.phase}")
    return _compensate(saga, state, (Entry(Kind.PIVOT_BARRED, saga.pivot.name),))


def _pivot_found_done(saga: Saga, state: State) -> Decision | None:
    if state.phase in (Phase.FINISHING, Phase.COMPLETED):
        return None
    if state.phase is not Phase.BARRING:
        raise Contradiction(f"the pivot is done although the saga is {state.phase}")
    committed = replace(state, phase=Phase.FINISHING, failures={}, failure=None)
    return _send(committed, Forward(next_position(saga, committed)), (Entry(Kind.PIVOT_DONE, saga.pivot.name),))


def _undone(saga: Saga, state: State, event: StepsUndone, jitter: float) -> Decision | None:
    if state.phase is Phase.COMPENSATED:
        return None
    if state.phase is not Phase.COMPENSATING:
        raise Contradiction(f"steps are undone although the saga is {state.phase}")
    news = [(step, at) for step, at in event.undone if step not in state.undone]
    steps = frozenset(step for step, _ in news)
    entries = tuple(Entry(Kind.UNDONE, step, at=at) for step, at in news)
    state = replace(state, undone=state.undone | steps, held=state.held - steps, parked=state.parked - steps)
    if not owed(saga, state):
        return _compensated(state, entries)
    if not news:
        return None
    return Decision(replace(state, in_flight=False), entries, due=_next_try(saga, state, jitter))


def _next_try(saga: Saga, state: State, jitter: float) -> timedelta | None:
    """How long the compensations still owed wait; None when all of them are parked."""
    waiting = [step for step in owed(saga, state) if step not in state.parked]
    return min((saga.by_name[step].retry.delay(state.failures.get(step, 1), jitter) for step in waiting), default=None)


def _asked_to_give_up(state: State, event: DeadlinePassed | CancelRequested) -> Decision | None:
    cancelled = isinstance(event, CancelRequested)
    if cancelled and state.phase in (Phase.FINISHING, Phase.COMPLETED):
        raise TooLate(TooLate.__doc__)
    if state.phase is not Phase.RUNNING:
        return None
    if cancelled:
        return _give_up(state, code="cancelled", detail="It was cancelled.")
    return _give_up(state, code="deadline_passed", detail="It was not done in time.")


def _give_up(state: State, *, code: str, detail: str) -> Decision:
    barring = replace(state, phase=Phase.BARRING, failures={}, failure={"code": code, "detail": detail})
    return _send(barring, Bar(), (Entry(Kind.GAVE_UP, detail={"code": code}),))


def _due(saga: Saga, state: State, event: Due) -> Decision | None:
    state = replace(state, held=frozenset())
    command = _what_is_owed(saga, state)
    if command is None or event.token not in (None, state.token):
        return None
    lost = state.failures.get(LOST, 0) + 1 if event.lost else 0
    if not lost:
        return _send(state, command)
    decision = _send(replace(state, failures={**state.failures, LOST: lost}), command, lost=True)
    return replace(decision, due=brisk.delay(lost, 1.0))


def _resumed(saga: Saga, state: State, event: Resumed) -> Decision | None:
    fresh = replace(state, parked=frozenset(), held=frozenset(), failures={})
    command = _what_is_owed(saga, fresh)
    if command is None:
        return None
    return _send(fresh, command, (Entry(Kind.RESUMED, detail={"by": event.by, "reason": event.reason}),))


def _what_is_owed(saga: Saga, state: State) -> Command | None:
    match state.phase:
        case Phase.RUNNING:
            return Forward(next_position(saga, state))
        case Phase.FINISHING:
            return None if state.parked else Forward(next_position(saga, state))
        case Phase.BARRING:
            return Bar()
        case Phase.COMPENSATING:
            return Undo(steps) if (steps := _sendable(saga, state)) else None
        case _:
            return None


def _sendable(saga: Saga, state: State) -> tuple[str, ...]:
    return tuple(step for step in owed(saga, state) if step not in state.held | state.parked)


def _compensate(saga: Saga, state: State, entries: tuple[Entry, ...]) -> Decision:
    undoing = replace(state, phase=Phase.COMPENSATING, failures={}, held=frozenset(), parked=frozenset())
    if steps := owed(saga, undoing):
        return _send(undoing, Undo(steps), entries)
    return _compensated(undoing, entries)


def _compensated(state: State, entries: tuple[Entry, ...]) -> Decision:
    ended = replace(state, phase=Phase.COMPENSATED, in_flight=False)
    return Decision(ended, (*entries, Entry(Kind.COMPENSATED)))


def _send(state: State, command: Command, entries: tuple[Entry, ...] = (), **detail: Any) -> Decision:
    entry = Entry(Kind.SENT, detail={"what": type(command).__name__.lower(), **detail})
    return Decision(replace(state, token=state.token + 1, in_flight=True), (*entries, entry), command)


def _learn(state: State, done: Trail) -> tuple[State, tuple[Entry, ...]]:
    news = [(step, at) for step, at in done if step not in state.done]
    learned = replace(state, done=state.done | {step for step, _ in news})
    return learned, tuple(Entry(Kind.DONE, step, at=at) for step, at in news)


def _prepend(entries: tuple[Entry, ...], decision: Decision) -> Decision:
    return replace(decision, entries=entries + decision.entries)
