"""A decision described for operators: what it sends, in which order, to which queue, and what it leaves out. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from orchestration.operators.actions.requests import Skipped
from orchestration.protocol.itinerary import Stop, itinerary
from orchestration.protocol.next_command import next_position, pending_command, pending_compensations
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import ENDED, Bar, Command, Decision, Forward, Operation, Phase, State, Undo

QueueOf = Callable[[str], str | None]
"""The queue of a task."""


def command_to_come(saga: Saga, old: State, decision: Decision) -> Command | None:
    """Return the command that is sent at once, or soon after the saga was unpaused, or when it will be unpaused."""
    state = decision.state
    if decision.command is not None:
        return decision.command
    if state.paused and old.paused and state.phase is not old.phase:
        return pending_command(saga, state)
    if old.paused and not state.paused and decision.due is not None and not old.in_flight:
        return pending_command(saga, replace(state, backing_off=frozenset()))
    return None


def will(saga: Saga, old: State, decision: Decision, queue_of: QueueOf) -> Iterator[str]:
    """Yield a sentence for each step of the message, then for what follows it."""
    command, state = command_to_come(saga, old, decision), decision.state
    yield from _about_the_pause(old, state)
    if command is not None:
        for stop in itinerary(saga, command)[0]:
            yield _sent(stop, queue_of(stop.task))
    if isinstance(command, Bar):
        yield from _after_the_bar(saga, state)
    if state.phase in ENDED:
        yield f"The saga ends: it is {state.phase}."


def skipped(saga: Saga, old: State, decision: Decision) -> Iterator[Skipped]:
    """Yield the steps that the action does not touch, each with the reason."""
    command, state = command_to_come(saga, old, decision), decision.state
    if state.paused and not old.paused:
        return
    if isinstance(command, Forward):
        for step in saga.steps[: command.position]:
            if step.name not in state.skipped:
                yield Skipped(step.name, "Already done.")
    if state.phase is Phase.COMPENSATING:
        yield from _left_out_of_compensating(saga, state, command)
    elif state.parked:
        for name in sorted(state.parked):
            yield Skipped(name, "Stays parked.")


def _left_out_of_compensating(saga: Saga, state: State, command: Command | None) -> Iterator[Skipped]:
    sent = command.steps if isinstance(command, Undo) else ()
    refused = (state.failure or {}).get("refused")
    for step in reversed(saga.compensable):
        if step.name in sent or step.name in state.skipped:
            continue
        if step.name == refused:
            yield Skipped(step.name, "Was refused, so it changed nothing.")
        elif step.name in state.undone:
            yield Skipped(step.name, "Already compensated.")
        elif step.name in state.parked:
            yield Skipped(step.name, "Stays parked.")
        else:
            yield Skipped(step.name, "In progress, or waiting for its next try.")


def _after_the_bar(saga: Saga, state: State) -> Iterator[str]:
    pivot = saga.pivot.name
    compensations = ", ".join(name for name in pending_compensations(saga, state))
    if compensations:
        yield f"If {pivot} is barred, these steps are compensated, in this order: {compensations}."
    behind = saga.steps[max(next_position(saga, state), saga.pivot_position + 1) :]
    rest = ", ".join(step.name for step in behind if step.name not in state.skipped)
    yield f"If {pivot} is already done, there is no way back: the saga continues" + (f" with {rest}." if rest else ".")


def _sent(stop: Stop, queue: str | None) -> str:
    to = f"queue {queue}" if queue else "no queue: this code has no such task"
    match stop.operation:
        case Operation.ACTION:
            return f"{stop.step} is executed, through {to}. If it is already done, it repeats its answer."
        case Operation.COMPENSATION:
            return f"{stop.step} is compensated, through {to}. If it was never done, it is barred."
        case Operation.BAR:
            return f"{stop.step} is barred, through {to}."


def _about_the_pause(old: State, state: State) -> Iterator[str]:
    if state.paused and not old.paused:
        under_way = (
            " A message that was sent before may still be executed, and its report is recorded."
            if old.in_flight
            else ""
        )
        yield f"Nothing is sent until the saga is unpaused.{under_way}"
    elif state.paused:
        yield "The saga is paused: the next message is sent when it is unpaused."
    elif old.paused and old.in_flight:
        yield "The message sent before the pause may still be in flight: it is sent again once it is known to be lost."
