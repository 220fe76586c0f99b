"""A broker in memory, for one thread. It holds the messages that production publishes, as a worker reads them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from kombu.exceptions import OperationalError as BrokerError

from orchestration.engine.dispatch import BrokerAway, context_of
from orchestration.failpoints import Failpoint, FailpointKind, cross
from orchestration.messaging.canvas import Message, command_message, received
from orchestration.models import SagaInstance
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Command
from orchestration.testing.faults import Fate

LONG = timedelta(hours=2)
"""The delay of a delayed message. It exceeds the deadline of every simulated saga."""


@dataclass
class Waiting:
    """A message in the broker that can be delivered from `at` on."""

    message: Message
    at: datetime
    is_acked: bool = False

    def ack(self) -> None:
        self.is_acked = True


class Network:
    """A `Broker`. While `is_down` it accepts no messages. Its messages can be lost, duplicated and reordered."""

    def __init__(
        self, clock: Callable[[], datetime], definition_of: Callable[[str], Saga], fate: Callable[[Failpoint], Fate]
    ) -> None:
        self._clock = clock
        self._definition_of = definition_of
        self._fate = fate
        self.is_down = False
        self.waiting: list[Waiting] = []

    def send(self, instance: SagaInstance, command: Command) -> None:
        saga = self._definition_of(instance.definition)
        message = command_message(saga, command, UUID(str(instance.pk)), instance.token, context_of(instance))
        try:
            self.publish(message)
        except BrokerError as error:
            raise BrokerAway(str(error)) from error

    def broker_is_away(self) -> bool:
        return self.is_down

    def broker_is_ready(self) -> bool:
        return not self.is_down

    def publish(self, message: Message) -> None:
        """Publish a message.

        :raises BrokerError: when the broker did not confirm it.
        """
        cross(FailpointKind.PUBLISH, message.task, message.sagas, lambda: self._take(message))

    def ready(self) -> list[Waiting]:
        """Return the messages that can be delivered now, the oldest first."""
        return [each for each in self.waiting if each.at <= self._clock()]

    def _take(self, message: Message) -> None:
        if self.is_down:
            raise BrokerError("the broker is away")
        now = self._clock()
        arrives = received(message.headers, orjson.loads(message.body))
        match self._fate(Failpoint(FailpointKind.PUBLISH, message.task, message.sagas)):
            case Fate.DELIVERED:
                self.waiting.append(Waiting(arrives, now))
            case Fate.DELAYED:
                self.waiting.append(Waiting(arrives, now + LONG))
            case Fate.OVERTAKEN:
                self.waiting.append(Waiting(arrives, now + timedelta(seconds=1)))
            case Fate.LOST:
                pass
