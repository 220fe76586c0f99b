"""Which queue each task goes to: every task says so when it is made."""

from typing import Any

_queues: dict[str, str] = {}


def send_to(queue: str, task: str) -> str:
    """Route a task to a queue, named as the broker knows it; returns the task's name."""
    _queues[task] = queue
    return task


def queue_of(task: str) -> str | None:
    """The queue a task is routed to; None when it is no task of ours."""
    return _queues.get(task)


def route(name: str, *_: Any, **__: Any) -> dict[str, str] | None:
    """Celery's hook (the `task_routes` setting)."""
    queue = queue_of(name)
    return None if queue is None else {"queue": queue}
