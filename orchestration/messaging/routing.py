"""The queue of each task, which is set when the task is made."""

from typing import Any

_queues: dict[str, str] = {}


def send_to(queue: str, task: str) -> str:
    """Route a task to a queue, by its name at the broker. Return the task's name."""
    _queues[task] = queue
    return task


def queue_of(task: str) -> str | None:
    """Return the queue of a task, or None if it is no task of ours."""
    return _queues.get(task)


def route(name: str, *_: Any, **__: Any) -> dict[str, str] | None:
    """Return the route of a task, for Celery's setting `task_routes`."""
    queue = queue_of(name)
    return None if queue is None else {"queue": queue}
