"""A message in a worker, whose ack is a crash point. Imported by name, so that only workers load Celery's worker."""

from collections.abc import Mapping
from typing import Any

from celery.worker.request import Request

from orchestration.failpoints import FailpointKind, cross
from orchestration.messaging.publisher import Message
from orchestration.messaging.task import sagas_of


class SagaRequest(Request):  # type: ignore[misc]
    """Celery's request of one of our tasks."""

    @property
    def begun_by(self) -> "SagaRequest":
        """The message that is acked when this is done."""
        return self

    def acknowledge(self) -> None:
        """Tell the broker that this message is done with."""
        cross(FailpointKind.ACK, self.name, sagas_of(self.kwargs), super().acknowledge)


class GoneOn:
    """A step that is carried out where the one before it was, without a message of its own.

    The message that began it stands for it, unacked: were this worker to die, the broker would deliver that one again,
    and the ledgers would repeat what had been done.
    """

    time_start = 0.0

    def __init__(self, message: Message, kwargs: Mapping[str, Any], begun_by: SagaRequest) -> None:
        self.message, self.kwargs, self.begun_by = message, kwargs, begun_by
        self.id, self.name, self.request_dict = message.id, message.task, message.headers

    def send_event(self, event: str, **fields: Any) -> None:
        """Tell those who watch the worker."""
        eventer = self.begun_by.eventer
        if eventer and eventer.enabled:
            eventer.send(event, uuid=self.id, **fields)


def are_reported(eventer: Any) -> bool:
    """Whether it sends what becomes of tasks: without `-E` it is there all the same, for what becomes of workers."""
    return bool(eventer and eventer.enabled and (not eventer.groups or "task" in eventer.groups))
