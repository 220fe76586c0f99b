"""Actions on messages in the broker: count, purge, double, shuffle, poison."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import amqp

from deploy.servers.ports import LOOPBACK
from tests.chaos.servers import Servers

MARK = "x-poisoned-by-chaos"
HUGE = 11_000_000


@contextmanager
def channel(servers: Servers) -> Iterator[Any]:
    """Open a channel that bypasses the proxy."""
    connection = amqp.Connection(
        host=f"{LOOPBACK}:{servers.rabbit.port}", connect_timeout=5, read_timeout=20, write_timeout=20
    )
    connection.connect()
    try:
        yield connection.channel()
    finally:
        connection.collect()


def counts(servers: Servers) -> dict[str, int]:
    """Count the messages that wait in each queue. Missing queues count zero."""
    found = {}
    for queue in (*servers.topology.queues, servers.topology.dead_letter_queue):
        try:
            with channel(servers) as opened:
                found[queue.name] = opened.queue_declare(queue.name, passive=True).message_count
        except (amqp.AMQPError, OSError):
            found[queue.name] = 0
    return found


def purge(servers: Servers) -> int:
    """Purge every queue and return how many messages were discarded."""
    with channel(servers) as opened:
        return sum(opened.queue_purge(queue.name) for queue in servers.topology.queues)


def delete_queues(servers: Servers) -> int:
    """Delete every queue with its messages and consumers. Return how many there were."""
    with channel(servers) as opened:
        for queue in servers.topology.queues:
            opened.queue_delete(queue.name)
    return len(servers.topology.queues)


def double_and_shuffle(servers: Servers, chance: random.Random) -> int:
    """Put every waiting message back two to ten times, in another order. Return how many there were."""
    taken = 0
    with channel(servers) as opened:
        for queue in servers.topology.queues:
            got = list(_all_in(opened, queue.name))
            copies = [message for message in got for _ in range(chance.randint(2, 10))]
            chance.shuffle(copies)
            for message in copies:
                opened.basic_publish(
                    amqp.Message(message.body, **message.properties),
                    exchange=servers.topology.exchange.name,
                    routing_key=queue.name,
                )
            for message in got:
                opened.basic_ack(message.delivery_tag)
            taken += len(got)
    return taken


def poison(servers: Servers, kind: str, chance: random.Random) -> str:
    """Publish a message that no worker can execute to a random queue. Return the queue's name."""
    queue = chance.choice(servers.topology.queues).name
    with channel(servers) as opened:
        opened.confirm_select()
        opened.basic_publish(_POISONS[kind](), exchange=servers.topology.exchange.name, routing_key=queue)
    return queue


def unexplained_dead_letters(servers: Servers) -> list[str]:
    """List the dead letters that we did not poison."""
    others = []
    with channel(servers) as opened:
        while message := opened.basic_get(servers.topology.dead_letter_queue.name, no_ack=True):
            if MARK not in message.headers:
                others.append(f"{message.headers.get('task')} {message.headers.get('kwargsrepr')}")
    return others


def _all_in(opened: Any, queue: str) -> Iterator[Any]:
    while message := opened.basic_get(queue):
        yield message


def _message(body: str, task: str) -> amqp.Message:
    headers = {"task": task, "id": "00000000-0000-0000-0000-000000000000", "lang": "py", MARK: True}
    return amqp.Message(body, content_type="application/json", content_encoding="utf-8", application_headers=headers)


_WRONG = json.dumps([[{"known": 7}], {"saga_id": "nobody", "step": "reserve_stock", "token": "x"}, {}])
_POISONS: dict[str, Callable[[], amqp.Message]] = {
    "bad JSON": lambda: _message("{not json", "inventory.reserve_stock"),
    "unknown task": lambda: _message("[[], {}, {}]", "inventory.no_such_task"),
    "wrong schema": lambda: _message(_WRONG, "inventory.reserve_stock"),
    "huge": lambda: _message(json.dumps([["x" * HUGE], {}, {}]), "inventory.reserve_stock"),
}
