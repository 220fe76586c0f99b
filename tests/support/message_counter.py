"""The project's Celery app, which writes a line for each message that it executes. Only tests start this app.

`COUNT_IN` names the file: "time task saga" a line, the time in seconds since 1970. `CALLS_TAKE` is the extra duration
of each call to gateway or carrier, in seconds.
"""

import os
import time
from typing import Any

from celery import signals

from config.celery import app
from orchestration.execution import strategy
from orchestration.messaging.canvas import Message

__all__ = ["app"]

_execute = strategy.TaskStrategy._execute


@signals.task_prerun.connect
def count_alone(task: Any, kwargs: Any, **_: Any) -> None:
    """Count a task that Celery runs without our strategy."""
    _count(task.name, kwargs)


def _count_batch(self: Any, work: Any, messages: list[Message]) -> Any:
    for message in messages:
        _count(message.task, message.kwargs)
    return _execute(self, work, messages)


@signals.worker_init.connect
def slow_calls_down(**_: Any) -> None:
    """Make external calls slower. This runs at the worker's start, because the models need a configured app."""
    from orchestration.participant import external_steps

    takes, reply_to = float(os.environ.get("CALLS_TAKE", "0")), external_steps.reply_to

    def reply_in_time(external_call: Any) -> Any:
        time.sleep(takes)
        return reply_to(external_call)

    external_steps.reply_to = reply_in_time


def _count(task: str, kwargs: Any) -> None:
    """Write the line at once, so that the line of a killed worker is not lost."""
    descriptor = os.open(os.environ["COUNT_IN"], os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, f"{time.time():.3f} {task} {kwargs.get('saga_id', '-')}\n".encode())
    finally:
        os.close(descriptor)


strategy.TaskStrategy._execute = _count_batch  # type: ignore[method-assign]
