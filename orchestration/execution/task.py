"""The base of tasks whose messages a worker runs in batches."""

from typing import Any

from orchestration.execution.inline import carry_out_alone
from orchestration.messaging.task import SagaTask


class BatchedTask(SagaTask):
    """A `SagaTask` whose messages a worker with threads carries out in batches, and any other worker one by one."""

    abstract = True
    Strategy = "orchestration.execution.strategy:strategy"
    opened: Any
    """An `endings.Opening`: makes the task's work for a worker."""

    def carry_out_alone(self, args: Any, kwargs: Any) -> None:
        """Carry out the one message that Celery is running."""
        carry_out_alone(self, type(self).opened, args, kwargs)
