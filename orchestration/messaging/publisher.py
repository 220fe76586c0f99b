"""Publishes messages, several at once, with one wait for all confirms."""

import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from queue import Empty, LifoQueue
from typing import Any

from amqp.exceptions import AMQPError
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from orchestration import failpoints
from orchestration.db import deadline
from orchestration.failpoints import Failpoint, FailpointKind
from orchestration.messaging.amqp_io import bounded, corked, read_ahead
from orchestration.messaging.canvas import Message

CONFIRMED_WITHIN = 10.0  # seconds for all messages of one call; a broker with an alarm confirms none
CONNECTED_WITHIN = 2.0
DURABLE = 2
_CAPABILITIES = {"consumer_cancel_notify": True, "authentication_failure_close": True}
"""Without "connection.blocked", because py-amqp would look for that notice before each publish."""


def without_confirms(name: str) -> dict[str, Any]:
    """Return the options of a connection that publishes to RabbitMQ, on which kombu does not wait for confirms."""
    return {"confirm_publish": False, "client_properties": {"connection_name": name, "capabilities": _CAPABILITIES}}


class Unroutable(OperationalError):
    """Some messages have no queue, or the broker rejected them. The broker has the other messages."""

    def __init__(self, rejected: Collection[str]) -> None:
        super().__init__(f"{len(rejected)} messages rejected by the broker")
        self.rejected = frozenset(rejected)
        """The ids of the messages that did not arrive."""


def publish(messages: Sequence[Message]) -> None:
    """Publish the messages and wait until the broker has confirmed each.

    A connection that broke while it was idle is replaced once.

    :raises OperationalError: when a message was not confirmed. Any of the messages may have arrived.
    """
    if not messages:
        return
    points = [Failpoint(FailpointKind.PUBLISH, message.task, message.sagas) for message in messages]
    copies = list(messages)
    if failpoints.is_armed():
        copies = [
            message for message, failpoint in zip(messages, points, strict=True) for _ in range(_crossings(failpoint))
        ]
    _deliver(copies)
    for failpoint in points:
        failpoints.after(failpoint)


def _crossings(failpoint: Failpoint) -> int:
    failpoints.before(failpoint)
    return failpoints.times(failpoint)


def _deliver(messages: Sequence[Message]) -> None:
    try:
        try:
            with _connection() as connection:
                connection.deliver(messages)
        except _Stale:
            with _connection(fresh=True) as connection:
                connection.deliver(messages)
    except (AMQPError, OSError) as error:
        raise OperationalError(f"not published: {error or type(error).__name__}") from error


class _Stale(Exception):
    """The connection was idle, and it is broken."""


class _Connection:
    """A connection with one channel in confirm mode."""

    def __init__(self) -> None:
        self.was_idle = False
        self._ids: dict[int, str] = {}
        """The ids of the messages that are not confirmed yet, by delivery tag."""
        self._rejected: set[str] = set()
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
        """Publish all messages, then wait for all confirms."""
        self._rejected.clear()
        try:
            link, seconds = self._channel.connection, max(deadline.left(CONFIRMED_WITHIN), 0.001)
            with bounded(link, seconds), corked(link):  # a thread with less time may have opened the connection
                for message in messages:
                    self._send(message)
            self._await_confirms()
        except (AMQPError, OSError) as error:
            if self.was_idle and not isinstance(error, TimeoutError):  # a second wait would take twice the time
                raise _Stale from error
            raise
        if self._rejected:
            raise Unroutable(self._rejected)

    def close(self) -> None:
        """Close the connection, whatever state it is in."""
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
        self._rejected |= {
            message_id for each, message_id in self._ids.items() if each == tag or (multiple and each < tag)
        }
        self._on_ack(tag, multiple)

    def _on_return(self, error: Exception, exchange: str, queue: str, message: Any) -> None:
        self._rejected.add(message.properties["correlation_id"])


def _options(seconds: float) -> dict[str, Any]:
    """Return the options of a new connection. Until it is open, each wait for the broker takes at most `seconds`."""
    if not _confirms():
        return {"connect_timeout": seconds}
    waits = {"read_timeout": seconds, "write_timeout": seconds} if deadline.is_set() else {}
    silent = without_confirms("shop publisher")  # kombu would wait for each confirm
    return {"connect_timeout": seconds, "transport_options": {**silent, **waits}}


def _confirms() -> bool:
    return bool(settings.BROKER_HAS_CONFIRMS)


_idle: dict[int, LifoQueue[_Connection]] = {}
"""Idle connections by process id, because a forked child must not use its parent's connections."""


@contextmanager
def _connection(*, fresh: bool = False) -> Iterator[_Connection]:
    """Yield a connection that no other thread uses. Keep it afterwards unless it broke."""
    idle = _idle.setdefault(os.getpid(), LifoQueue())
    connection = _Connection() if fresh else _idle_or_new(idle)
    try:
        yield connection
    except Unroutable:
        idle.put(connection)
        raise
    except BaseException:
        connection.close()
        raise
    connection.was_idle = True
    idle.put(connection)


def _idle_or_new(idle: LifoQueue[_Connection]) -> _Connection:
    try:
        return idle.get_nowait()
    except Empty:
        return _Connection()
