"""This run's queues on the broker: create, empty, delete and inspect them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from celery import current_app
from django.conf import settings

from orchestration.engine import dispatch
from orchestration.messaging import publisher


@contextmanager
def channel() -> Iterator[Any]:
    """Open a channel of its own for the block."""
    with current_app.connection_for_write() as connection, connection.channel() as opened:
        yield opened


def declare_queues() -> None:
    """Create the queues that do not exist."""
    with current_app.connection_for_write() as connection:
        assert settings.TOPOLOGY.declare(connection) == {}


def delete_queues() -> None:
    """Delete this run's queues and exchanges from the broker, with their messages."""
    with channel() as opened:
        for name in _names():
            opened.queue_delete(name)
        for exchange in (settings.TOPOLOGY.exchange, settings.TOPOLOGY.dead_letter_exchange):
            opened.exchange_delete(exchange.name)


def purge_queues() -> None:
    """Discard every waiting message."""
    with channel() as opened:
        for name in _names():
            opened.queue_purge(name)


def waiting_messages(names: Iterable[str] | None = None) -> int:
    """Count the messages waiting in these queues (by the broker's names), or in all queues but the dead-letter
    queue.
    """
    chosen = [queue.name for queue in settings.TOPOLOGY.queues] if names is None else names
    with channel() as opened:
        return sum(opened.queue_declare(name, passive=True).message_count for name in chosen)


def take_message(name: str) -> Any:
    """Take one message from a queue. Return None when it is empty."""
    with channel() as opened:
        return opened.basic_get(settings.TOPOLOGY.name(name), no_ack=True)


def dead_letters() -> int:
    """Count the dead letters: messages that no worker could execute."""
    return waiting_messages([settings.TOPOLOGY.dead_letter_queue.name])


def publish_raw(queue: str, body: str | bytes, **properties: Any) -> None:
    """Publish a message exactly as given."""
    with channel() as opened:
        message = opened.prepare_message(body, **properties)
        topology = settings.TOPOLOGY
        opened.basic_publish(message, exchange=topology.exchange.name, routing_key=topology.name(queue))


@contextmanager
def talking_to(url: str, *, tls: Any = False) -> Iterator[None]:
    """Publish to another broker during the block. `tls` is Celery's `broker_use_ssl`."""
    before = current_app.conf.broker_url, current_app.conf.broker_use_ssl
    _point_to(url, tls)
    try:
        yield
    finally:
        _point_to(*before)


def _point_to(url: str, tls: Any) -> None:
    app: Any = current_app
    app.conf.broker_url, app.conf.broker_use_ssl = url, tls
    app._pool = None
    app.amqp._producer_pool = None
    for lines in publisher._idle.values():  # these connections lead to the previous broker
        while not lines.empty():
            lines.get().close()
    dispatch.breaker.close()


def _names() -> list[str]:
    return [queue.name for queue in (*settings.TOPOLOGY.queues, settings.TOPOLOGY.dead_letter_queue)]
