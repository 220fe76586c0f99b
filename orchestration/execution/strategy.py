"""Runs the messages of our tasks in a worker. Celery imports it by name, so only workers load it.

A worker with threads runs messages in batches. A message goes to its task's strategy. If no batch of that task is
running, one starts with the waiting messages. Messages that arrive meanwhile form the next batch. If this worker
consumes the queue of the next step, the next message is handed over locally to the strategy of that step. The other
next messages are published together, with one wait for all confirms. Then the messages of the batch are acknowledged.
Workers with other pools run messages one by one, as Celery does.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from typing import Any

import orjson
from celery import signals
from celery.app.task import Context
from celery.concurrency.thread import TaskPool
from celery.worker import state
from celery.worker.strategy import default
from django.conf import settings
from kombu.exceptions import DecodeError

from orchestration import failpoints
from orchestration.db.connections import return_connections_between_jobs
from orchestration.execution.batching import Batches
from orchestration.execution.results import Ending, Work, encodable
from orchestration.execution.scheduler import Executors, Scheduler, Thunk, after_job
from orchestration.log_context import of_ending, of_message, within
from orchestration.messaging.amqp_io import corked
from orchestration.messaging.canvas import Message, received
from orchestration.messaging.publisher import Unroutable, publish
from orchestration.messaging.request import SagaRequest
from orchestration.messaging.routing import queue_of

logger = logging.getLogger(__name__)


def strategy(task: Any, app: Any, consumer: Any) -> Callable[..., None]:
    """Return the function that takes each message of this task. This is Celery's hook `Task.Strategy`."""
    if not isinstance(consumer.pool, TaskPool):
        return default(task, app, consumer)  # type: ignore[no-any-return]
    return TaskStrategy(task, app, consumer).take


class TaskStrategy:
    """Runs one task's messages in one worker."""

    def __init__(self, task: Any, app: Any, consumer: Any) -> None:
        self._task, self._app, self._consumer = task, app, consumer
        executors = _executors_of(consumer)
        work = type(task).make_work(self._end, executors)
        has_priority = settings.TOPOLOGY.is_for_compensations(queue_of(task.name) or "")
        execute = within(partial(self._execute, work), of_message)
        self._batches: Batches[Message] = Batches(execute, executors.batches, has_priority=has_priority)
        self._strategies = _strategies_of(consumer)
        self._strategies[task.name] = self

    def take(self, message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> None:
        """Take a message from the broker. A later batch runs it."""
        content = _content(message)
        received_message = received(message.headers, content)
        received_message.origin = request = self._request(message, content)
        if request.id in state.revoked and request.revoked():
            return
        signals.task_received.send(sender=self._consumer, request=request)
        request.send_event(
            "task-received", name=request.name, args=request.argsrepr, kwargs=request.kwargsrepr,
            root_id=request.root_id, parent_id=request.parent_id, retries=0, eta=None, expires=None,
        )  # fmt: skip
        state.task_reserved(request)
        for callback in callbacks:
            callback(request)
        self.put([received_message])

    def put(self, messages: list[Message]) -> None:
        """Add messages to the next batch. Their `origin` must be set."""
        self._batches.put(messages)

    def _request(self, message: Any, content: Any) -> SagaRequest:
        return SagaRequest(
            message,
            on_ack=message.ack_log_error,
            on_reject=message.reject_log_error,
            app=self._app,
            hostname=self._consumer.hostname,
            eventer=self._consumer.event_dispatcher,
            task=self._task,
            connection_errors=self._consumer.connection_errors,
            body=content,
            headers=message.headers,
            decoded=True,
        )

    def _execute(self, work: Work, messages: list[Message]) -> Thunk | None:
        began = time.monotonic()
        for message in messages:
            message.began = began
            if not message.is_local:
                state.task_accepted(message.origin)
        if self._is_watched():
            self._consumer.call_soon_ack(partial(_send_started, messages))
        try:
            return work(messages)
        except Exception:  # a bug. Run the messages again: ledgers repeat steps that were done
            logger.exception("%s: %s messages are requeued", self._task.name, len(messages))
            self._consumer.call_soon_ack(partial(_requeue, [message.origin for message in messages]))
            return None

    def _end(self, endings: Sequence[Ending]) -> None:
        """Hand next messages over locally where possible. Publish the rest after the job, so that no job waits."""
        to_publish = self._hand_over_locally(endings) if settings.GO_ON_HERE else endings
        if to_publish:
            publish_them = within(self._publish_and_acknowledge, of_ending)
            after_job(partial(publish_them, [_republished_if_dead(ending) for ending in to_publish]))

    def _hand_over_locally(self, endings: Sequence[Ending]) -> list[Ending]:
        """Give next messages to their strategies in this worker. Return the endings for which that is not possible."""
        rest, handed_over, by_task = [], [], defaultdict[str, list[Message]](list)
        for ending in endings:
            if message := self._local_message(ending):
                message.origin = ending.message.origin
                handed_over.append(ending)
                by_task[message.task].append(message)
            else:
                rest.append(ending)
        if handed_over and self._is_watched():
            self._consumer.call_soon_ack(partial(_send_handed_over, handed_over))
        for task, messages in by_task.items():
            self._strategies[task].put(messages)
        return rest

    def _local_message(self, ending: Ending) -> Message | None:
        """Return the next message if it is the only one and this worker consumes its queue."""
        if ending.error or ending.is_dead or len(ending.messages) != 1:
            return None
        [message] = ending.messages
        consumed = self._app.amqp.queues.consume_from
        return message if message.task in self._strategies and message.queue in consumed else None

    def _is_watched(self) -> bool:
        return sends_task_events(self._consumer.event_dispatcher)

    def _publish_and_acknowledge(self, endings: Sequence[Ending]) -> None:
        """Publish the next messages and wait for the confirms. Acknowledge the batch only after that."""
        return_connections_between_jobs()  # the broker may be slow
        requests = [ending.message.origin for ending in endings]
        try:
            published = self._publish(endings)
        except Exception as error:
            logger.error("%s: %s messages are requeued: %r", self._task.name, len(requests), error)
            self._consumer.call_soon_ack(partial(_requeue, requests))
            return
        self._consumer.call_soon_ack(partial(self._acknowledge, published))
        for ending in published:
            if ending.error and not ending.is_dead:
                self._record_failure(ending)

    def _publish(self, endings: Sequence[Ending]) -> Sequence[Ending]:
        endings = [encodable(ending) for ending in endings]
        try:
            publish([message for ending in endings for message in ending.messages])
        except Unroutable as error:
            return [_failed_if_rejected(ending, error) for ending in endings]
        return endings

    def _record_failure(self, ending: Ending) -> None:
        message, error = ending.message, ending.error
        logger.error("%s[%s] failed: %r", self._task.name, message.id, error, exc_info=error)
        signals.task_failure.send(
            sender=self._task, task_id=message.id, exception=error, args=(), kwargs=message.kwargs,
            traceback=error.__traceback__ if error else None, einfo=None,
        )  # fmt: skip
        context = Context(message.headers if message.is_local else message.origin.request_dict)
        self._task.backend.mark_as_failure(message.id, error, request=context, store_result=True, call_errbacks=False)

    def _acknowledge(self, endings: Sequence[Ending]) -> None:
        with self._in_one_write(endings):
            self._acknowledge_each(endings)

    def _in_one_write(self, endings: Sequence[Ending]) -> AbstractContextManager[None]:
        """Write all acknowledgements at once, if one thread sends them and none of them is a failpoint."""
        if failpoints.is_armed() or not getattr(self._consumer, "hub", None) or not endings:
            return nullcontext()
        channel = endings[0].message.origin.message.channel
        return corked(getattr(channel, "connection", None))

    def _acknowledge_each(self, endings: Sequence[Ending]) -> None:
        for ending in endings:
            message = ending.message
            state.task_ready(message.origin)
            if ending.is_dead:
                message.origin.reject(requeue=False)
                continue
            message.origin.acknowledge()
            if ending.error:
                _send_event(message, "task-failed", exception=repr(ending.error), traceback="")
            else:
                _send_event(message, "task-succeeded", result="", runtime=time.monotonic() - message.began)


def _republished_if_dead(ending: Ending) -> Ending:
    """Return the ending. If its message is dead and was handed over locally, return one that publishes the message.

    Only a delivered message can be dead-lettered. The published message is, when a worker receives it.
    """
    return Ending(ending.message, [ending.message]) if ending.is_dead and ending.message.is_local else ending


@cache
def _strategies_of(consumer: Any) -> "dict[str, TaskStrategy]":
    """Return the strategies of one worker, by task."""
    return {}


@cache
def _executors_of(consumer: Any) -> Executors:
    """Return the executors of all tasks of a worker. Calls that hang leave threads for batches and deferred work."""
    spawn, threads, batches = partial(_spawn, consumer.pool), consumer.pool.limit, settings.BATCHES_AT_A_TIME
    calls = max(1, threads - 2 * batches)
    stay = threads > batches + calls  # so that one thread is always free
    return Executors(Scheduler(spawn, batches, stay=stay), Scheduler(spawn, calls, stay=stay))


def _spawn(pool: TaskPool, thunk: Thunk) -> None:
    try:
        pool.apply_async(_without_connections_after, (thunk,), callback=lambda _: None)
    except RuntimeError:  # the pool is closing: finish the work in this thread
        thunk()


def _content(message: Any) -> Any:
    try:
        return orjson.loads(message.body)
    except ValueError as error:
        raise DecodeError(str(error)) from None


def _send_started(messages: Sequence[Message]) -> None:
    """Send the events of started tasks. Only the consumer's thread may: it reads from that connection."""
    for message in messages:
        _send_event(message, "task-started")


def _send_handed_over(endings: Sequence[Ending]) -> None:
    for ending in endings:
        done, [message] = ending.message, ending.messages
        _send_event(done, "task-succeeded", result="", runtime=time.monotonic() - done.began)
        _send_event(
            message, "task-received", name=message.task, args="()", kwargs=message.headers["kwargsrepr"],
            root_id=message.root_id, parent_id=done.id, retries=0, eta=None, expires=None,
        )  # fmt: skip


def _send_event(message: Message, event: str, **fields: Any) -> None:
    eventer = message.origin.eventer
    if eventer and eventer.enabled:
        eventer.send(event, uuid=message.id, **fields)


def sends_task_events(eventer: Any) -> bool:
    """Return whether the event dispatcher sends events of tasks. Without `-E` it sends only events of workers."""
    return bool(eventer and eventer.enabled and (not eventer.groups or "task" in eventer.groups))


def _failed_if_rejected(ending: Ending, error: Unroutable) -> Ending:
    if error.rejected.isdisjoint(message.id for message in ending.messages):
        return ending
    logger.error("%s: the next message has no queue", ending.message.task)
    return Ending(ending.message, outcome=ending.error or error)


def _requeue(requests: Sequence[SagaRequest]) -> None:
    for request in requests:
        state.task_ready(request)
        request.reject(requeue=True)


def _without_connections_after(thunk: Thunk) -> None:
    try:
        thunk()
    finally:
        return_connections_between_jobs()
