"""The base of tasks whose messages a worker runs in batches."""

from typing import Any

from orchestration.execution.inline import run_inline
from orchestration.messaging.task import SagaTask


class BatchedTask(SagaTask):
    """A `SagaTask` whose messages a worker with threads runs in batches, and any other worker one by one."""

    abstract = True
    Strategy = "orchestration.execution.strategy:strategy"
    make_work: Any
    """A `results.MakeWork`: makes the task's work for one worker."""

    def run_inline(self, args: Any, kwargs: Any) -> None:
        """Run the one message that Celery is running."""
        run_inline(self, type(self).make_work, args, kwargs)
