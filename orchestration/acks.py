"""A message in a worker, whose ack is a crash point. Imported by name, so that only workers load Celery's worker."""

from celery.worker.request import Request

from orchestration.boundaries import Boundary, cross
from orchestration.messages import sagas_of


class SagaRequest(Request):  # type: ignore[misc]
    """Celery's request of one of our tasks."""

    def acknowledge(self) -> None:
        """Tell the broker that this message is done with."""
        cross(Boundary.ACK, self.name, sagas_of(self.kwargs), super().acknowledge)
