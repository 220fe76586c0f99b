"""Messages on their way to the broker: many at once, one wait for all their confirms."""

import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from queue import Empty, LifoQueue
from typing import Any
from uuid import UUID

import orjson
from amqp.exceptions import AMQPError
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from orchestration import failpoints
from orchestration.db import deadline
from orchestration.failpoints import Failpoint, FailpointKind
from orchestration.messaging.amqp_io import bounded, corked, read_ahead

CONFIRMED_WITHIN = 10.0  # seconds for all of them; a broker's alarm keeps them waiting
CONNECTED_WITHIN = 2.0
DURABLE = 2
_CAPABILITIES = {"consumer_cancel_notify": True, "authentication_failure_close": True}
"""Without "connection.blocked": py-amqp would look for that notice before each publish, and nobody reads it."""


def without_confirms(name: str) -> dict[str, Any]:
    """What a connection to RabbitMQ is opened with, for publishing that never reads from it."""
    return {"confirm_publish": False, "client_properties": {"connection_name": name, "capabilities": _CAPABILITIES}}


@dataclass(frozen=True)
class Message:
    """One task's message; `content` is what its body says, ready for JSON."""

    task: str
    queue: str
    id: str
    content: Any
    headers: dict[str, Any]
    sagas: Collection[UUID] = ()

    @cached_property
    def body(self) -> bytes:
        """What goes over the wire.

        :raises TypeError: when JSON cannot carry it.
        """
        return orjson.dumps(self.content)


class Unroutable(OperationalError):
    """There is no queue for some messages, or the broker refused them; the others have arrived."""

    def __init__(self, turned_away: Collection[str]) -> None:
        super().__init__(f"{len(turned_away)} letters turned away by the broker")
        self.turned_away = frozenset(turned_away)
        """Their ids."""


def publish(messages: Sequence[Message]) -> None:
    """Hand the messages to the broker and wait until it has confirmed each.

    A connection that broke while it lay idle is replaced once.

    :raises OperationalError: when one is not known to have arrived; any of them may have.
    """
    if not messages:
        return
    points = [Failpoint(FailpointKind.PUBLISH, message.task, message.sagas) for message in messages]
    copies = list(messages)
    if failpoints.is_armed():
        copies = [
            message for message, failpoint in zip(messages, points, strict=True) for _ in range(_crossings(failpoint))
        ]
    _delivered(copies)
    for failpoint in points:
        failpoints.after(failpoint)


def _crossings(failpoint: Failpoint) -> int:
    failpoints.before(failpoint)
    return failpoints.times(failpoint)


def _delivered(messages: Sequence[Message]) -> None:
    try:
        try:
            with _line() as line:
                line.deliver(messages)
        except _Stale:
            with _line(fresh=True) as line:
                line.deliver(messages)
    except (AMQPError, OSError) as error:
        raise OperationalError(f"not published: {error or type(error).__name__}") from error


class _Stale(Exception):
    """The line had been idle, and was found broken."""


class _Line:
    """A connection with one channel in confirm mode."""

    def __init__(self) -> None:
        self.was_idle = False
        self._ids: dict[int, str] = {}
        """Of the messages not confirmed yet, by delivery tag."""
        self._turned_away: set[str] = set()
        self._sent = 0
        seconds = deadline.left(CONNECTED_WITHIN)
        self._connection = current_app.connection_for_write(**_options(seconds))
        retries = 0 if deadline.is_set() else 1
        self._connection.ensure_connection(max_retries=retries, interval_start=0, timeout=ceil(seconds))
        channel: Any = self._connection.default_channel
        read_ahead(self._connection.connection)
        self._channel = channel
        if _confirms():
            channel.confirm_select()
            channel.events["basic_ack"].add(self._on_ack)
            channel.events["basic_nack"].add(self._on_nack)
            channel.events["basic_return"].add(self._on_return)

    def deliver(self, messages: Sequence[Message]) -> None:
        """Send all, then wait for all."""
        self._turned_away.clear()
        try:
            link, seconds = self._channel.connection, max(deadline.left(CONFIRMED_WITHIN), 0.001)
            with bounded(link, seconds), corked(link):  # the link may have been opened by a thread with less time
                for message in messages:
                    self._send(message)
            self._await_confirms()
        except (AMQPError, OSError) as error:
            if self.was_idle and not isinstance(error, TimeoutError):  # who has waited once does not wait again
                raise _Stale from error
            raise
        if self._turned_away:
            raise Unroutable(self._turned_away)

    def close(self) -> None:
        """Let go of it, whatever state it is in."""
        self._connection.collect()

    def _send(self, message: Message) -> None:
        properties = {"correlation_id": message.id, "delivery_mode": DURABLE}
        prepared = self._channel.prepare_message(
            message.body, 0, "application/json", "utf-8", message.headers, properties
        )
        self._channel.basic_publish(
            prepared, exchange=settings.TOPOLOGY.exchange.name, routing_key=message.queue, mandatory=True
        )
        self._sent += 1
        if _confirms():
            self._ids[self._sent] = message.id

    def _await_confirms(self) -> None:
        until = time.monotonic() + deadline.left(CONFIRMED_WITHIN)
        while self._ids:
            self._connection.drain_events(timeout=max(until - time.monotonic(), 0.001))

    def _on_ack(self, tag: int, multiple: bool) -> None:
        for each in [each for each in self._ids if each <= tag] if multiple else [tag]:
            self._ids.pop(each, None)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._turned_away |= {
            message_id for each, message_id in self._ids.items() if each == tag or (multiple and each < tag)
        }
        self._on_ack(tag, multiple)

    def _on_return(self, error: Exception, exchange: str, queue: str, message: Any) -> None:
        self._turned_away.add(message.properties["correlation_id"])


def _options(seconds: float) -> dict[str, Any]:
    """What to open a connection with, each wait for the broker bounded to `seconds` until it is open."""
    if not _confirms():
        return {"connect_timeout": seconds}
    waits = {"read_timeout": seconds, "write_timeout": seconds} if deadline.is_set() else {}
    silent = without_confirms("shop letters")  # kombu would wait for each confirm
    return {"connect_timeout": seconds, "transport_options": {**silent, **waits}}


def _confirms() -> bool:
    return bool(settings.BROKER_HAS_CONFIRMS)


_idle: dict[int, LifoQueue[_Line]] = {}


@contextmanager
def _line(*, fresh: bool = False) -> Iterator[_Line]:
    """A line of one's own for a while; one that broke is not given to anybody again."""
    lines = _idle.setdefault(os.getpid(), LifoQueue())  # a forked child must not use its parent's
    line = _Line() if fresh else _taken(lines)
    try:
        yield line
    except Unroutable:
        lines.put(line)
        raise
    except BaseException:
        line.close()
        raise
    line.was_idle = True
    lines.put(line)


def _taken(lines: LifoQueue[_Line]) -> _Line:
    try:
        return lines.get_nowait()
    except Empty:
        return _Line()
