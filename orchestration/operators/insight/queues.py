"""The queues at the broker, with the number of their messages and consumers."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from kombu import Connection

from orchestration.operators.insight.sources import Unavailable, at_the_broker


@dataclass(frozen=True)
class QueueNow:
    """One queue, by its name at the broker.

    `messages` are those that no worker has received yet; None when the queue does not exist. `consumers` is None where
    the broker does not report it.
    """

    name: str
    messages: int | None
    consumers: int | None = 0

    @property
    def is_missing(self) -> bool:
        return self.messages is None

    @property
    def is_stranded(self) -> bool:
        """Whether messages wait in it and it has no consumer."""
        return bool(self.messages) and self.has_no_consumer

    @property
    def has_no_consumer(self) -> bool:
        """Whether the broker reports that it has no consumers."""
        return self.consumers == 0


Queues = Mapping[str, QueueNow]


def every_queue() -> Queues | Unavailable:
    """Return every queue of the topology, the dead-letter queue included, by its name at the broker."""
    return at_the_broker(_read)


def queues() -> tuple[QueueNow, ...] | Unavailable:
    """Return the queues that workers consume."""
    found = every_queue()
    if isinstance(found, Unavailable):
        return found
    dead = settings.TOPOLOGY.dead_letter_queue.name
    return tuple(queue for name, queue in found.items() if name != dead)


def _read(connection: Connection) -> Queues:
    topology = settings.TOPOLOGY
    depths = topology.depths(connection)
    names = [queue.name for queue in (*topology.queues, topology.dead_letter_queue)]
    return {
        name: QueueNow(name, depths[name].messages, depths[name].consumers) if name in depths else QueueNow(name, None)
        for name in names
    }
