"""The next command of a saga, and the decision that sends it. Pure."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from orchestration.protocol.events import CompletedSteps
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Bar, Command, Decision, Entry, Forward, Kind, Phase, State, Undo


def next_position(saga: Saga, state: State) -> int:
    """The first step whose answer we do not hold; earlier ones need not be asked again."""
    return next((i for i, step in enumerate(saga.steps) if step.name not in state.done), len(saga.steps))


def pending_compensations(saga: Saga, state: State) -> tuple[str, ...]:
    """Compensations still to be made, last step first."""
    refused = (state.failure or {}).get("refused")
    names = [step.name for step in reversed(saga.compensable)]
    return tuple(name for name in names if name not in state.undone and name != refused)


def sendable(saga: Saga, state: State) -> tuple[str, ...]:
    """Pending compensations that neither wait for a retry nor are parked."""
    return tuple(step for step in pending_compensations(saga, state) if step not in state.backing_off | state.parked)


def pending_command(saga: Saga, state: State) -> Command | None:
    """What to send; None when the saga has ended, or waits for a person or for a try of its own."""
    match state.phase:
        case Phase.RUNNING:
            return Forward(next_position(saga, state))
        case Phase.FINISHING:
            return None if state.parked else Forward(next_position(saga, state))
        case Phase.BARRING:
            return Bar()
        case Phase.COMPENSATING:
            return Undo(steps) if (steps := sendable(saga, state)) else None
        case _:
            return None


def next_try(saga: Saga, state: State, jitter: float) -> timedelta | None:
    """How long the pending compensations wait; None when all of them are parked."""
    waiting = [step for step in pending_compensations(saga, state) if step not in state.parked]
    return min((saga.by_name[step].retry.delay(state.failures.get(step, 1), jitter) for step in waiting), default=None)


def send(state: State, command: Command, entries: tuple[Entry, ...] = (), **detail: Any) -> Decision:
    """Dispatch the command under a token of its own."""
    entry = Entry(Kind.SENT, detail={"what": type(command).__name__.lower(), **detail})
    return Decision(replace(state, token=state.token + 1, in_flight=True), (*entries, entry), command)


def give_up(state: State, *, code: str, detail: str, **said: Any) -> Decision:
    """Bar the pivot: until that is certain nothing is compensated. `said` goes into the log."""
    barring = replace(state, phase=Phase.BARRING, failures={}, failure={"code": code, "detail": detail})
    return send(barring, Bar(), (Entry(Kind.GAVE_UP, detail={"code": code, **said}),))


def compensate(saga: Saga, state: State, entries: tuple[Entry, ...]) -> Decision:
    """Compensate every step before the pivot, the last first."""
    undoing = replace(state, phase=Phase.COMPENSATING, failures={}, backing_off=frozenset(), parked=frozenset())
    if steps := pending_compensations(saga, undoing):
        return send(undoing, Undo(steps), entries)
    return compensated(undoing, entries)


def compensated(state: State, entries: tuple[Entry, ...]) -> Decision:
    """Nothing stands any more."""
    ended = replace(state, phase=Phase.COMPENSATED, in_flight=False)
    return Decision(ended, (*entries, Entry(Kind.COMPENSATED)))


def completed(state: State, entries: tuple[Entry, ...]) -> Decision:
    """Every step is done."""
    ended = replace(state, phase=Phase.COMPLETED, in_flight=False, failure=None, parked=frozenset())
    return Decision(ended, (*entries, Entry(Kind.COMPLETED)))


def learn(state: State, done: CompletedSteps) -> tuple[State, tuple[Entry, ...]]:
    """What a message says is done, and the log entries of what is news."""
    news = [(step, at) for step, at in done if step not in state.done]
    learned = replace(state, done=state.done | {step for step, _ in news})
    return learned, tuple(Entry(Kind.DONE, step, at=at) for step, at in news)


def after(entries: tuple[Entry, ...], decision: Decision) -> Decision:
    """The decision, with these entries before its own."""
    return replace(decision, entries=entries + decision.entries)
