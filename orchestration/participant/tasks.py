"""A participant's commands as Celery tasks: read the messages, have them carried out, pass on what is known."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from celery import shared_task
from django.conf import settings

from orchestration import signals
from orchestration.contracts.codec import Malformed
from orchestration.contracts.command import Action
from orchestration.execution.results import End, Ending, Work
from orchestration.execution.scheduler import Executors
from orchestration.execution.task import BatchedTask
from orchestration.messaging import canvas
from orchestration.messaging.canvas import Received
from orchestration.messaging.publisher import Message
from orchestration.messaging.routing import send_to
from orchestration.messaging.topology import compensations_queue
from orchestration.participant.executor import (
    Context,
    Diverted,
    GoesOn,
    Making,
    Next,
    StepMessage,
    about,
    performances,
    read,
)
from orchestration.participant.participant import Participant

logger = logging.getLogger(__name__)

NOTHING: Context = {"known": {}, "trail": []}


def make_tasks(participant: Participant) -> None:
    """Make one task of each command, and one that bars."""
    actions = {command.name for command in participant.commands if isinstance(command, Action)}
    for name, making in performances(participant).items():
        _make_task(name, participant.service if name in actions else compensations_queue(participant.service), making)


def _make_task(name: str, queue: str, making: Making) -> None:
    opening = partial(_open, making)

    @shared_task(
        name=send_to(settings.TOPOLOGY.name(queue), name), base=BatchedTask, bind=True, typing=False, make_work=opening
    )
    def task(self: BatchedTask, *args: Any, **ids: Any) -> None:
        self.run_inline(args, ids)


def _open(making: Making, end: End, executors: Executors) -> Work:
    """Make a task's work: it receives messages and returns what to publish."""

    def reported(ended: Sequence[tuple[StepMessage, Next]]) -> None:
        signals.steps_carried_out.send_robust(sender=None, ended=ended)
        end([_ending(step_message, follows) for step_message, follows in ended])

    perform = making(reported, executors)

    def work(messages: list[Received]) -> Any:
        step_messages, unreadable = [], []
        for message in messages:
            try:
                step_messages.append(StepMessage(message, *read(message.args, message.kwargs)))
            except Malformed as error:
                unreadable.append(_dead(message, error, NOTHING))
        if unreadable:
            end(unreadable)
        return perform(step_messages) if step_messages else None

    return work


def _ending(step_message: StepMessage, follows: Next) -> Ending:
    message = step_message.message
    match follows:
        case Malformed():
            return _dead(message, follows, step_message.context)
        case Exception():  # whatever it was, the saga hears of it and comes back
            return Ending(
                message, canvas.failure_messages(message, about(follows, step_message.context)), error=follows
            )
        case GoesOn(context):
            following = canvas.next_message(message, context)
            return Ending(message, [following] if following else [])
        case Diverted(context, refusal):
            return Ending(message, [_refusal(message, step_message, refusal, context)])
        case _:
            return Ending(message)


def _refusal(message: Received, step_message: StepMessage, refusal: dict[str, Any], context: Context) -> Message:
    call = step_message.call
    return canvas.refusal_message(message, call.saga_id, call.step, call.token, refusal, context)


def _dead(message: Received, error: Malformed, context: Context) -> Ending:
    logger.error("%s: malformed message, dead-lettered: %s", message.task, error)
    return Ending(message, canvas.failure_messages(message, about(error, context)), error=error, is_dead=True)
