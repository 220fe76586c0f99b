"""How a message came to a worker: by a Celery request or by a local delivery. Only workers import this module."""

from typing import Any

from celery.worker.request import Request

from orchestration.failpoints import FailpointKind, cross
from orchestration.messaging.canvas import Message
from orchestration.messaging.task import sagas_of


class SagaRequest(Request):  # type: ignore[misc]
    """Celery's request of one of our tasks. Its acknowledgement is a failpoint."""

    @property
    def origin(self) -> "SagaRequest":
        """The request to acknowledge when this one is done."""
        return self

    def acknowledge(self) -> None:
        """Acknowledge the message to the broker."""
        cross(FailpointKind.ACK, self.name, sagas_of(self.kwargs), super().acknowledge)


class LocalDelivery:
    """A message that this worker handed over to itself. It was never published.

    The message of `origin` is acknowledged only after this one is done. If the worker dies before that, the broker
    delivers the origin's message again, and the ledgers repeat what was done.
    """

    time_start = 0.0

    def __init__(self, message: Message, origin: SagaRequest) -> None:
        self.message, self.origin = message, origin
        self.id, self.name, self.kwargs = message.id, message.task, message.kwargs

    @property
    def request_dict(self) -> dict[str, Any]:
        """The headers that the message would have."""
        return self.message.headers

    def send_event(self, event: str, **fields: Any) -> None:
        """Send an event of this task, if anybody watches the worker."""
        eventer = self.origin.eventer
        if eventer and eventer.enabled:
            eventer.send(event, uuid=self.id, **fields)


def sends_task_events(eventer: Any) -> bool:
    """Say whether it sends events of tasks. Without `-E` a worker has one that sends events of workers only."""
    return bool(eventer and eventer.enabled and (not eventer.groups or "task" in eventer.groups))
