"""The queues and exchanges, and their declaration."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kombu import Connection, Exchange, Queue
from kombu.transport import virtual

SERVICES = ("inventory", "payments", "shipping", "orders")
ORCHESTRATOR = "orchestrator"
DEAD_LETTERS = "dead-letters"


@dataclass(frozen=True)
class Depth:
    """The number of messages in a queue, without those that workers hold, and of its consumers (None: unknown)."""

    messages: int
    consumers: int | None


@dataclass(frozen=True)
class Topology:
    """The broker's entities under a name prefix; `queue_type` is "classic" or "quorum".

    Publishers and consumers declare nothing themselves (a publisher would need the right to configure another
    service's queue), so every entity is marked no_declare; `declare` makes them.
    """

    prefix: str
    queue_type: str

    def name(self, queue: str) -> str:
        """Return a queue's name at the broker."""
        return self.prefix + queue

    @property
    def exchange(self) -> Exchange:
        """The exchange to which every task is published. The routing key is the queue's name."""
        return Exchange(self.name("sagas"), type="direct", durable=True, no_declare=True)

    @property
    def dead_letter_exchange(self) -> Exchange:
        return Exchange(self.name(DEAD_LETTERS), type="fanout", durable=True, no_declare=True)

    @property
    def queues(self) -> tuple[Queue, ...]:
        """The queues that workers consume."""
        names = [ORCHESTRATOR, *SERVICES, *(compensations_queue(service) for service in SERVICES)]
        return tuple(self._queue(self.name(name)) for name in names)

    def is_for_compensations(self, queue: str) -> bool:
        """Return whether this queue, by its name at the broker, is for compensations."""
        return queue in {self.name(compensations_queue(service)) for service in SERVICES}

    @property
    def dead_letter_queue(self) -> Queue:
        return Queue(
            self.name(DEAD_LETTERS),
            exchange=self.dead_letter_exchange,
            queue_arguments={"x-queue-type": self.queue_type},
            durable=True,
            no_declare=True,
        )

    def declare(self, connection: Connection) -> dict[str, str]:
        """Declare every exchange and queue that does not exist.

        Existing ones with other properties, and ones that may not be declared, stay as they are. Return these by name,
        with the difference.
        """
        every: tuple[Exchange | Queue, ...] = (self.exchange, self.dead_letter_exchange, *self._all())
        return {entity.name: said for entity in every if (said := _refusal(entity, connection))}

    def missing(self, connection: Connection) -> Iterable[str]:
        """Return the names of queues that the broker does not have."""
        return [name for name, depth in self._looked_at(connection) if depth is None]

    def differing(self, connection: Connection) -> dict[str, str]:
        """Return by name the queues that have other properties at the broker, with the difference."""
        return {queue.name: said for queue in self._all() if (said := _difference(queue, connection))}

    def depths(self, connection: Connection) -> dict[str, Depth]:
        """Return by name the depth of each queue that the broker has, also that of dead letters."""
        return {name: depth for name, depth in self._looked_at(connection) if depth is not None}

    def _looked_at(self, connection: Connection) -> Iterable[tuple[str, Depth | None]]:
        for queue in self._all():
            with connection.channel() as channel:
                if isinstance(channel, virtual.Channel):
                    yield queue.name, _over_redis(queue, channel)
                    continue
                try:
                    declared: Any = queue.bind(channel).queue_declare(passive=True)
                except connection.channel_errors:
                    yield queue.name, None
                else:
                    yield queue.name, Depth(declared.message_count, declared.consumer_count)

    def _all(self) -> tuple[Queue, ...]:
        return (*self.queues, self.dead_letter_queue)

    def _queue(self, name: str) -> Queue:
        return Queue(
            name,
            exchange=self.exchange,
            routing_key=name,
            durable=True,
            no_declare=True,
            queue_arguments={
                "x-queue-type": self.queue_type,
                "x-dead-letter-exchange": self.dead_letter_exchange.name,
            },
        )


def _over_redis(queue: Queue, channel: Any) -> Depth | None:
    """Return the depth of a queue that is a Redis list. An empty list does not exist, so look for its binding."""
    if queue.name not in {bound for *_, bound in channel.get_table(queue.exchange.name)}:
        return None
    return Depth(channel.queue_declare(queue.name).message_count, consumers=None)  # creates nothing in Redis


def _difference(queue: Queue, connection: Connection) -> str:
    """Return how the broker's queue differs; "" also if there is no such queue. Declare nothing."""
    channel: Any
    with connection.channel() as channel:
        try:
            queue.bind(channel).queue_declare(passive=True)
        except connection.channel_errors:
            return ""
        try:
            queue.bind(channel).queue_declare()
        except connection.channel_errors as error:
            return _in_words(error)
    return ""


def _refusal(entity: Exchange | Queue, connection: Connection) -> str:
    """Declare an exchange or queue. Return why the broker refuses (which closes the channel), else ""."""
    channel: Any
    with connection.channel() as channel:
        try:
            if isinstance(entity, Exchange):
                channel.exchange_declare(entity.name, entity.type, durable=True, auto_delete=False)
            else:
                bound = entity.bind(channel)
                bound.queue_declare()
                bound.queue_bind()
        except connection.channel_errors as error:
            return _in_words(error)
    return ""


def _in_words(error: BaseException) -> str:
    """Return the difference; RabbitMQ's whole message if it is not about an argument."""
    said = " ".join(str(error).split())
    found = re.search(r"inequivalent arg '([^']+)'.*: received (.*) but current is (.*)$", said)
    if found is None:
        return said
    argument, wanted, current = (re.sub(r"the value ('.*?') of type '\w+'", r"\1", part) for part in found.groups())
    return f"{argument} is {current}, not {wanted}"


def compensations_queue(service: str) -> str:
    """Return the queue of a service's compensations, which never wait behind its actions."""
    return f"{service}.compensations"
