"""Runs steps through the work that workers run, in the calling thread. For tests of participants."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from orchestration.contracts.command import Action, Compensation
from orchestration.execution.results import Ending
from orchestration.execution.scheduler import INLINE
from orchestration.messaging.canvas import Message
from orchestration.participant.executor import works_of
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Outcome
from orchestration.participant.participant import Participant
from orchestration.protocol.itinerary import bar_task


def act(participant: Participant, action: Action, calls: Sequence[Call]) -> list[Outcome]:
    """Run the action for each call, and return the outcomes.

    :raises Exception: what the first failed call raised.
    """
    return [_outcome(ending) for ending in run(participant, action.name, calls)]


def undo(participant: Participant, compensation: Compensation, calls: Sequence[Call]) -> None:
    """Run the compensation for each call.

    :raises Exception: what the first failed call raised.
    """
    for ending in run(participant, compensation.name, calls):
        _outcome(ending)


def bar(participant: Participant, calls: Sequence[Call]) -> list[bool]:
    """Bar each call's step, and return for each whether the bar holds.

    :raises Exception: what the first failed call raised.
    """
    return [_outcome(ending).holds for ending in run(participant, bar_task(participant.service), calls)]


def run(participant: Participant, task: str, calls: Sequence[Call]) -> list[Ending]:
    """Run a task's messages with these calls, as one batch. Return how each ended, in the order of the calls."""
    messages = [message_of(task, call) for call in calls]
    endings: list[Ending] = []
    if rest := works_of(participant)[task](endings.extend, INLINE)(messages):
        rest()
    ended = {id(ending.message): ending for ending in endings}
    if len(endings) != len(messages) or len(ended) != len(messages):
        raise AssertionError(f"{len(messages)} messages have {len(endings)} endings")
    return [ended[id(message)] for message in messages]


def message_of(task: str, call: Call) -> Message:
    """Return a message that asks for this call, and that no link follows."""
    kwargs = {"saga_id": str(call.saga_id), "step": call.step, "token": call.token}
    message_id = str(uuid4())
    return Message(task, message_id, message_id, [{"known": call.known, "trail": []}], kwargs)


def _outcome(ending: Ending) -> Any:
    if ending.error:
        raise ending.error
    return ending.outcome
