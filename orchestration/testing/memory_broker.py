"""A broker, its queues, and the way Celery's chains go through them; in memory, in one thread."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from kombu.exceptions import OperationalError as BrokerError

from orchestration.engine.dispatch import BrokerAway, context_of
from orchestration.failpoints import Failpoint, FailpointKind, cross
from orchestration.models import SagaInstance
from orchestration.protocol.itinerary import STEP_FAILED, STEP_REFUSED, Stop, itinerary
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Command
from orchestration.testing.faults import Fate

LONG = timedelta(hours=2)
"""How late a delayed message is: later than any deadline here."""


@dataclass(frozen=True)
class Message:
    """One task's message: what it asks for now, the stops that follow, and the report at the end."""

    task: str
    saga_id: UUID | None
    token: int
    context: dict[str, Any]
    stop: Stop | None = None
    rest: tuple[Stop, ...] = ()
    end: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What a report tells beside what it carries."""

    def next(self, context: dict[str, Any]) -> "Message":
        """The message after this one, with what is known by now."""
        if self.rest:
            stop, *rest = self.rest
            return replace(self, task=stop.task, stop=stop, rest=tuple(rest), context=context)
        return Message(self.end, self.saga_id, self.token, context)

    def refused(self, context: dict[str, Any], refusal: dict[str, Any]) -> "Message":
        """The report that this step is refused."""
        assert self.stop
        return Message(
            STEP_REFUSED, self.saga_id, self.token, context, facts={"step": self.stop.step, "refusal": refusal}
        )

    def failed(self, about: Mapping[str, Any]) -> "Message":
        """What `link_error` sends; Celery calls it with the id of the failed task."""
        assert self.stop
        facts = {"step": self.stop.step, "operation": self.stop.operation.value, **about}
        return Message(STEP_FAILED, self.saga_id, self.token, {}, facts=facts)


@dataclass
class Waiting:
    """A message in the broker, to be had from `at` on."""

    message: Message
    at: datetime
    is_acked: bool = False

    def ack(self) -> None:
        self.is_acked = True


class Network:
    """A `Broker`. While `is_down` it takes nothing; what it holds can be lost, doubled and reordered."""

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
        (stop, *rest), end = itinerary(saga, command)
        first = Message(stop.task, instance.pk, instance.token, context_of(instance), stop, tuple(rest), end)
        try:
            self.publish(first)
        except BrokerError as error:
            raise BrokerAway(str(error)) from error

    def broker_is_away(self) -> bool:
        return self.is_down

    def broker_is_ready(self) -> bool:
        return not self.is_down

    def publish(self, message: Message) -> None:
        """Hand a message to the broker.

        :raises BrokerError: when it is not known to have arrived.
        """
        sagas = [message.saga_id] if message.saga_id else []
        cross(FailpointKind.PUBLISH, message.task, sagas, lambda: self._take(message, sagas))

    def ready(self) -> list[Waiting]:
        """What can be delivered now, the oldest first."""
        return [each for each in self.waiting if each.at <= self._clock()]

    def _take(self, message: Message, sagas: list[UUID]) -> None:
        if self.is_down:
            raise BrokerError("the broker is away")
        now = self._clock()
        match self._fate(Failpoint(FailpointKind.PUBLISH, message.task, sagas)):
            case Fate.DELIVERED:
                self.waiting.append(Waiting(message, now))
            case Fate.DELAYED:
                self.waiting.append(Waiting(message, now + LONG))
            case Fate.OVERTAKEN:
                self.waiting.append(Waiting(message, now + timedelta(seconds=1)))
            case Fate.LOST:
                pass
