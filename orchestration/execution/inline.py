"""Runs messages one by one, in worker pools without threads. Celery calls it for each message."""

from typing import Any

from celery.exceptions import InvalidTaskError, Reject

from orchestration.execution.results import Ending, MakeWork, encodable
from orchestration.execution.scheduler import INLINE
from orchestration.messaging import canvas
from orchestration.messaging.publisher import publish


def run_inline(task: Any, make_work: MakeWork, args: Any, kwargs: Any) -> None:
    """Run the one message of a running task.

    :raises Reject: when no worker can run the message.
    :raises OperationalError: when the next messages were not published.
    """
    request = task.request
    embed = {"chain": request.chain, "errbacks": request.errbacks}
    headers = {"id": request.id, "task": task.name, "root_id": request.root_id}
    request.chain = request.errbacks = None  # Celery would send them as well
    endings: list[Ending] = []
    try:
        message = canvas.received(headers, [args, kwargs, embed])
    except InvalidTaskError as error:
        raise Reject(error, requeue=False) from error
    if rest := make_work(endings.extend, INLINE)([message]):
        rest()
    [ending] = map(encodable, endings)
    publish(ending.messages)
    if ending.is_dead:
        raise Reject(ending.error, requeue=False)
    if ending.error:
        raise ending.error
