"""Celery's request of one of our tasks. Celery imports it by name, so that only workers load its worker modules."""

from celery.worker.request import Request

from orchestration.failpoints import FailpointKind, cross
from orchestration.messaging.task import sagas_of


class SagaRequest(Request):  # type: ignore[misc]
    """A Celery request whose acknowledgement is a failpoint."""

    def acknowledge(self) -> None:
        """Acknowledge the message to the broker."""
        cross(FailpointKind.ACK, self.name, sagas_of(self.kwargs), super().acknowledge)
