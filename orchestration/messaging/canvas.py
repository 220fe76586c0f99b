"""A saga's way through the queues as Celery messages: the only file that knows Celery's canvas and task protocol.

A command is a Celery chain: the first message carries the later links with it, and each link the errback that reports
its failure. The messages are written here, and each is continued by whoever carries it out, because Celery's own way,
a signature applied and a confirm awaited for each, costs more than the work that it asks for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from celery import Signature, chain, current_app
from celery.exceptions import InvalidTaskError
from django.conf import settings
from uuid_utils import uuid4

from orchestration.messaging.publisher import Message
from orchestration.messaging.routing import queue_of
from orchestration.messaging.task import public, sagas_of
from orchestration.protocol.itinerary import STEP_FAILED, STEP_REFUSED, Stop, itinerary
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Command


@dataclass(eq=False)
class Received:
    """One of our messages as a worker has it: what it asks, and the links that follow it."""

    id: str
    task: str
    root_id: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    chain: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    """The links after this one, the next one last."""
    errbacks: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    delivery: Any = field(default=None, repr=False)
    """What whoever delivers it knows it by."""


def command_message(saga: Saga, command: Command, saga_id: UUID, token: int, context: Mapping[str, Any]) -> Message:
    """The message that starts a command's chain; its last link reports to the orchestrator, and so does every failure.

    `context` is what the chain passes on: {"known": facts, "trail": [[completed step, when], …]}; each link adds to it.
    """
    stops, end = itinerary(saga, command)
    links = [_link(stop, saga_id, token) for stop in stops]
    first, *later = [*links, _report(end, saga_id, token)]
    return _message(first, [context], chain=later[::-1])


def next_message(message: Received, context: Mapping[str, Any]) -> Message | None:
    """What follows when a link is done; None after the last."""
    if not message.chain:
        return None
    *later, link = message.chain
    return _message(link, [context], chain=later, sender=message)


def refusal_message(
    message: Received, saga_id: UUID, step: str, token: int, refusal: Mapping[str, Any], context: Mapping[str, Any]
) -> Message:
    """What follows when a step refuses: the orchestrator hears of it."""
    report = _report(STEP_REFUSED, saga_id, token, step=step, refusal=refusal)
    return _message(report, [context], sender=message)


def failure_messages(message: Received, facts: Mapping[str, Any]) -> list[Message]:
    """What follows when a link fails: its errbacks, which get the reason."""
    errbacks = [{**each, "kwargs": {**each["kwargs"], **facts}} for each in message.errbacks]
    return [_message(each, [message.id], sender=message) for each in errbacks]


def received(headers: Mapping[str, Any], content: Any) -> Received:
    """Read a message, its body out of JSON.

    :raises InvalidTaskError: when it is none.
    """
    try:
        args, kwargs, embedded = content
        return Received(
            id=headers["id"],
            task=headers["task"],
            root_id=headers.get("root_id") or headers["id"],
            args=args,
            kwargs=dict(kwargs),
            chain=embedded.get("chain") or (),
            errbacks=embedded.get("errbacks") or (),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidTaskError(f"not a task's message: {type(error).__name__}") from None


def relay(task: str, queues: Iterable[str], last: str, kwargs: Mapping[str, Any]) -> Signature:
    """A chain of the same task through these queues, then `last`."""
    links = [current_app.signature(task, kwargs=dict(kwargs), immutable=True).set(queue=queue) for queue in queues]
    return chain(*links, current_app.signature(last, kwargs=dict(kwargs), immutable=True))


def _link(stop: Stop, saga_id: UUID, token: int) -> dict[str, Any]:
    link = _signature(stop.task, saga_id=str(saga_id), step=stop.step, token=token)
    errback = _report(STEP_FAILED, saga_id, token, step=stop.step, operation=stop.operation.value)
    link["options"]["link_error"] = [errback]
    return link


def _report(task: str, saga_id: UUID, token: int, **facts: Any) -> dict[str, Any]:
    return _signature(task, saga_id=str(saga_id), token=token, **facts)


def _signature(task: str, **kwargs: Any) -> dict[str, Any]:
    """A signature as Celery writes it into messages."""
    return {"task": task, "args": [], "kwargs": kwargs, "options": {}, "subtask_type": None, "immutable": False}


def _message(
    link: Mapping[str, Any],
    args: Sequence[Any],
    *,
    chain: Sequence[Mapping[str, Any]] = (),
    sender: Received | None = None,
) -> Message:
    task, kwargs, options = link["task"], link["kwargs"], link["options"]
    task_id = options.get("task_id") or str(uuid4())
    embedded = {"callbacks": None, "errbacks": options.get("link_error"), "chain": chain or None, "chord": None}
    headers = {
        "lang": "py",
        "task": task,
        "id": task_id,
        "root_id": sender.root_id if sender else task_id,
        "parent_id": sender.id if sender else None,
        "argsrepr": "()",  # what a saga knows is nothing for logs, events or result rows
        "kwargsrepr": repr(public(kwargs)),
    }
    queue = queue_of(task) or settings.CELERY_TASK_DEFAULT_QUEUE
    return Message(task, queue, task_id, [args, kwargs, embedded], headers, sagas_of(kwargs))
