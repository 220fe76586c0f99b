"""The itinerary of a command: the tasks that its message passes, and the report after the last. Pure."""

from dataclasses import dataclass

from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Bar, Command, Forward, Operation, Undo

CHAIN_COMPLETED = "orchestration.chain_completed"
STEP_REFUSED = "orchestration.step_refused"
STEP_FAILED = "orchestration.step_failed"
STEPS_UNDONE = "orchestration.steps_undone"
PIVOT_OUTCOME = "orchestration.pivot_settled"
STEP_WAITS = "orchestration.step_waits"
"""The report that a step waits for a lock."""
LOCK_GRANTED = "orchestration.lock_granted"
"""Tells a saga that it now holds the lock that it waits for. It is a hint: a saga that misses it asks again."""


@dataclass(frozen=True)
class Stop:
    """One task of an itinerary: it runs one operation of one step."""

    task: str
    step: str
    operation: Operation


def itinerary(saga: Saga, command: Command) -> tuple[tuple[Stop, ...], str]:
    """Return the stops of a command, in order, and the task of the report that follows the last."""
    match command:
        case Forward(position, skipped):
            actions = (step.action for step in saga.steps[position:] if step.name not in skipped)
            return tuple(Stop(action.name, action.step, Operation.ACTION) for action in actions), CHAIN_COMPLETED
        case Undo(names):
            pending = [saga.by_name[name].compensation for name in names]
            stops = (Stop(each.name, each.step, Operation.COMPENSATION) for each in pending if each)
            return tuple(stops), STEPS_UNDONE
        case Bar():
            pivot = saga.pivot
            return (Stop(bar_task(pivot.action.service), pivot.name, Operation.BAR),), PIVOT_OUTCOME


def bar_task(service: str) -> str:
    """Return the name of the task that bars a step of this service."""
    return f"{service}.bar"
