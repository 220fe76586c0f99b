"""Runs the one message of a task that Celery is running, in worker pools that deliver messages one by one."""

from typing import Any

from celery.exceptions import Reject

from orchestration.execution.results import Ending, Opening, sendable
from orchestration.execution.scheduler import ALONE
from orchestration.messaging import canvas
from orchestration.messaging.publisher import publish


def carry_out_alone(task: Any, opening: Opening, args: Any, kwargs: Any) -> None:
    """Carry out the one message of a running task, where Celery delivers them one by one.

    :raises Reject: when nobody can.
    :raises OperationalError: when what follows could not be sent.
    """
    request = task.request
    embedded = {"chain": request.chain, "errbacks": request.errbacks}
    headers = {"id": request.id, "task": task.name, "root_id": request.root_id}
    request.chain = request.errbacks = None  # Celery would send them as well
    endings: list[Ending] = []
    message = canvas.received(headers, [args, kwargs, embedded])
    if remains := opening(endings.extend, ALONE)([message]):
        remains()
    [ending] = map(sendable, endings)
    publish(ending.messages)
    if ending.is_dead:
        raise Reject(ending.error, requeue=False)
    if ending.error:
        raise ending.error
