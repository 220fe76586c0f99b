"""The next command of a saga, and the decisions that send it or end the saga. Pure."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from orchestration.protocol.events import CompletedSteps
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Bar, Command, Decision, Entry, Forward, Kind, Phase, State, Undo


def next_position(saga: Saga, state: State) -> int:
    """Return the position of the first step that is left, or the number of steps if each is done or skipped."""
    over = state.done | state.skipped
    return next((i for i, step in enumerate(saga.steps) if step.name not in over), len(saga.steps))


def forward(saga: Saga, state: State) -> Forward:
    """Return the command that sends the actions of the steps that are left."""
    return Forward(next_position(saga, state), state.skipped)


def pending_compensations(saga: Saga, state: State) -> tuple[str, ...]:
    """Return the steps that are still to be compensated, the last first."""
    settled = state.undone | state.skipped | {(state.failure or {}).get("refused")}
    return tuple(step.name for step in reversed(saga.compensable) if step.name not in settled)


def sendable_compensations(saga: Saga, state: State) -> tuple[str, ...]:
    """Return the pending compensations that neither back off nor are parked."""
    return tuple(step for step in pending_compensations(saga, state) if step not in state.backing_off | state.parked)


def pending_command(saga: Saga, state: State) -> Command | None:
    """Return the command to send now. None when the saga has ended or no pending step may be tried now."""
    match state.phase:
        case Phase.RUNNING:
            return forward(saga, state)
        case Phase.FINISHING:
            return None if state.parked else forward(saga, state)
        case Phase.BARRING:
            return Bar()
        case Phase.COMPENSATING:
            return Undo(steps) if (steps := sendable_compensations(saga, state)) else None
        case _:
            return None


def retry_wait(saga: Saga, state: State, jitter: float) -> timedelta | None:
    """Return the wait until the next pending compensation is tried. None when all of them are parked."""
    waiting = [step for step in pending_compensations(saga, state) if step not in state.parked]
    return min((saga.by_name[step].retry.delay(state.failures.get(step, 1), jitter) for step in waiting), default=None)


def send(state: State, command: Command, entries: tuple[Entry, ...] = (), **detail: Any) -> Decision:
    """Return the decision to send the command with a new fencing token."""
    entry = Entry(Kind.SENT, detail={"what": type(command).__name__.lower(), **detail})
    return Decision(replace(state, token=state.token + 1, in_flight=True), (*entries, entry), command)


def give_up(state: State, *, code: str, detail: str, **said: Any) -> Decision:
    """Return the decision to give the saga up. It bars the pivot first: no step may be compensated before that.

    The log entry also has the details of `said`.
    """
    barring = replace(state, phase=Phase.BARRING, failures={}, failure={"code": code, "detail": detail})
    return send(barring, Bar(), (Entry(Kind.GAVE_UP, detail={"code": code, **said}),))


def compensate(saga: Saga, state: State, entries: tuple[Entry, ...]) -> Decision:
    """Return the decision to compensate every step before the pivot, the last first."""
    undoing = replace(state, phase=Phase.COMPENSATING, failures={}, backing_off=frozenset(), parked=frozenset())
    if steps := pending_compensations(saga, undoing):
        return send(undoing, Undo(steps), entries)
    return compensated(undoing, entries)


def compensated(state: State, entries: tuple[Entry, ...]) -> Decision:
    """Return the decision that ends the saga as compensated."""
    ended = replace(state, phase=Phase.COMPENSATED, in_flight=False)
    return Decision(ended, (*entries, Entry(Kind.COMPENSATED)))


def completed(state: State, entries: tuple[Entry, ...]) -> Decision:
    """Return the decision that ends the saga as completed."""
    ended = replace(state, phase=Phase.COMPLETED, in_flight=False, failure=None, parked=frozenset())
    return Decision(ended, (*entries, Entry(Kind.COMPLETED)))


def add_done(state: State, done: CompletedSteps) -> tuple[State, tuple[Entry, ...]]:
    """Add the done steps of a report to the state. Return the state, and a log entry for each newly done step."""
    news = [(step, at) for step, at in done if step not in state.done]
    learned = replace(state, done=state.done | {step for step, _ in news})
    return learned, tuple(Entry(Kind.DONE, step, at=at) for step, at in news)


def with_entries(entries: tuple[Entry, ...], decision: Decision) -> Decision:
    """Return the decision with these log entries before its own."""
    return replace(decision, entries=entries + decision.entries)
