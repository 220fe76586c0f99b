"""Makes the messages of a saga's commands as Celery chains. Only this file knows Celery's canvas and message format.

A command is a Celery chain. Its first message carries the later links, and each link carries the errback that reports
its failure. `chain_of` builds the links with Celery's own canvas. The messages are written here and not by
`apply_async`, because one `apply_async` and one confirm for each message cost more than the step itself.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

import orjson
from celery import Signature, chain, current_app, signature
from celery.exceptions import InvalidTaskError
from django.conf import settings
from uuid_utils import uuid4

from orchestration.messaging.routing import queue_of
from orchestration.messaging.task import public, sagas_of
from orchestration.protocol.itinerary import LOCK_GRANTED, STEP_FAILED, STEP_REFUSED, STEP_WAITS, Stop, itinerary
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Command

Link = Mapping[str, Any]
"""A signature, as Celery writes it into messages."""

Context = dict[str, Any]
"""What a chain passes from link to link: known facts by field name, and completed steps with their ISO times."""

NOTHING: Context = {"known": {}, "trail": []}

CHAINS_KEPT = 256
"""Chains in the cache. A definition has one for each position to continue from, for its bar, and for each list of steps
to undo."""


@dataclass(eq=False)
class Message:
    """One task's message: received from the broker, handed over within this worker, or about to be published."""

    task: str
    id: str
    root_id: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    chain: Sequence[Link] = field(default=(), repr=False)
    """The links after this one, the next one last."""
    errbacks: Sequence[Link] = field(default=(), repr=False)
    parent_id: str | None = None
    origin: Any = field(default=None, repr=False)
    """The Celery request to acknowledge when this message is done.

    It is the request of another message if this one was handed over within the worker, and never published. If the
    worker dies, the broker delivers the origin's message again, and the ledgers repeat what was done.
    """
    began: float = field(default_factory=time.monotonic, repr=False)
    """When its work began, in monotonic seconds."""

    def next(self, context: Mapping[str, Any]) -> "list[Message]":
        """Return the message of the next link, or no message after the last link."""
        if not self.chain:
            return []
        *later, link = self.chain
        return [_message(link, [context], later, sender=self)]

    def refused(self, refusal: Mapping[str, Any], context: Mapping[str, Any]) -> "list[Message]":
        """Return the report that the step of this message is refused."""
        return [self._report(STEP_REFUSED, {"refusal": refusal}, context)]

    def waits(self, facts: Mapping[str, Any], context: Mapping[str, Any]) -> "list[Message]":
        """Return the report that the step of this message waits for a lock: resource, holder, before and since."""
        return [self._report(STEP_WAITS, facts, context)]

    def lock_granted(self, saga_id: UUID, step: str) -> "Message":
        """Return the message that tells another saga that it now holds the lock that this step of it waits for."""
        wake = signature(LOCK_GRANTED, kwargs={"saga_id": str(saga_id), "step": step}, app=current_app)
        return _message(wake, [], sender=self)

    def failed(self, facts: Mapping[str, Any]) -> "list[Message]":
        """Return the messages that report the failure of this message (Celery's errbacks), with these facts."""
        return [_message(_filled(errback, facts), [self.id], sender=self) for errback in self.errbacks]

    def _report(self, task: str, facts: Mapping[str, Any], context: Mapping[str, Any]) -> "Message":
        kwargs = {name: self.kwargs[name] for name in ("saga_id", "step", "token")}
        return _message(signature(task, kwargs={**kwargs, **facts}, app=current_app), [context], sender=self)

    @property
    def is_local(self) -> bool:
        """Whether the message was handed over within this worker and never published."""
        return self.origin is not None and self.origin.id != self.id

    @property
    def queue(self) -> str:
        """The queue of the message's task, by its name at the broker."""
        return queue_of(self.task) or str(settings.CELERY_TASK_DEFAULT_QUEUE)

    @property
    def sagas(self) -> list[UUID]:
        """The saga that the message names, if it names one."""
        return sagas_of(self.kwargs)

    @property
    def headers(self) -> dict[str, Any]:
        """The headers of Celery's task message protocol 2. Headers with Celery's default values are left out."""
        return {
            "lang": "py",
            "task": self.task,
            "id": self.id,
            "root_id": self.root_id,
            "parent_id": self.parent_id,
            "argsrepr": "()",  # logs, events and result rows must not show what a saga knows
            "kwargsrepr": repr(public(self.kwargs)),
        }

    @cached_property
    def body(self) -> bytes:
        """The encoded body.

        :raises TypeError: when JSON cannot encode it.
        """
        embed = {"callbacks": None, "errbacks": self.errbacks or None, "chain": self.chain or None, "chord": None}
        return orjson.dumps([self.args, self.kwargs, embed])


def command_message(saga: Saga, command: Command, saga_id: UUID, token: int, context: Mapping[str, Any]) -> Message:
    """Return the message that starts a command's chain. The chain's last link and every failure report to the engine.

    Each link adds to the context.
    """
    ids = {"saga_id": str(saga_id), "token": token}
    first, *later = [_filled(link, ids) for link in chain_of(saga, command).tasks]
    return _message(first, [context], later[::-1])


@lru_cache(CHAINS_KEPT)
def chain_of(saga: Saga, command: Command) -> Any:
    """Return the command as a Celery chain, without the ids of a saga."""
    stops, end = itinerary(saga, command)
    return chain(*map(_link, stops), signature(end, app=current_app))


def received(headers: Mapping[str, Any], content: Any) -> Message:
    """Read a message from its headers and its decoded body.

    :raises InvalidTaskError: when it is not a task's message.
    """
    try:
        args, kwargs, embed = content
        return Message(
            task=headers["task"],
            id=headers["id"],
            root_id=headers.get("root_id") or headers["id"],
            args=args,
            kwargs=dict(kwargs),
            chain=_checked(embed.get("chain") or ()),
            errbacks=_checked(embed.get("errbacks") or ()),
            parent_id=headers.get("parent_id"),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidTaskError(f"not a task's message: {type(error).__name__}") from None


def relay(task: str, queues: Iterable[str], last: str, kwargs: Mapping[str, Any]) -> Signature:
    """Return a chain that runs `task` once from each of these queues, then the task `last`."""
    links = [current_app.signature(task, kwargs=dict(kwargs), immutable=True).set(queue=queue) for queue in queues]
    return chain(*links, current_app.signature(last, kwargs=dict(kwargs), immutable=True))


def _link(stop: Stop) -> Signature:
    errback = signature(STEP_FAILED, kwargs={"step": stop.step, "operation": stop.operation.value}, app=current_app)
    return signature(stop.task, kwargs={"step": stop.step}, app=current_app).on_error(errback)


def _checked(links: Sequence[Link]) -> Sequence[Link]:
    """Return the links. One that cannot be followed would raise only after the step, and requeue its batch for ever.

    :raises TypeError: when one has a part of another type.
    :raises KeyError: when one lacks a part.
    """
    for link in links:
        options = link["options"]
        if not (isinstance(link["task"], str) and isinstance(link["kwargs"], dict) and isinstance(options, dict)):
            raise TypeError("not a link")
        if not isinstance(options.get("task_id") or "", str):
            raise TypeError("not a task's id")
        _checked(options.get("link_error") or ())
    return links


def _filled(link: Link, facts: Mapping[str, Any]) -> Link:
    """Return the link with these facts among its arguments, and among those of its errbacks."""
    options = link["options"]
    if errbacks := options.get("link_error"):
        options = {**options, "link_error": [_filled(errback, facts) for errback in errbacks]}
    return {**link, "kwargs": {**link["kwargs"], **facts}, "options": options}


def _message(link: Link, args: Sequence[Any], later: Sequence[Link] = (), *, sender: Message | None = None) -> Message:
    options = link["options"]
    task_id = options.get("task_id") or str(uuid4())
    return Message(
        task=link["task"],
        id=task_id,
        root_id=sender.root_id if sender else task_id,
        args=args,
        kwargs=link["kwargs"],
        chain=later,
        errbacks=options.get("link_error") or (),
        parent_id=sender.id if sender else None,
    )
