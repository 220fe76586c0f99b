"""Runs the messages of our tasks in a worker. Celery imports it by name, so that only workers load its worker modules.

A worker with threads runs messages in batches. A message goes to its task's strategy. If no batch of that task is
running, one starts with the messages that are there. Messages that arrive meanwhile form the next batch. Next steps go
to their own strategy where this worker has it. The rest is published together, with one wait for all confirms. Then the
messages are acknowledged. Other pools run messages one by one, as Celery does.
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

from orchestration import failpoints, log_context
from orchestration.db.connections import return_connections_between_jobs
from orchestration.execution.batching import Batches
from orchestration.execution.results import Ending, sendable
from orchestration.execution.scheduler import Executors, Scheduler, Thunk, after_job
from orchestration.messaging import amqp_io, canvas
from orchestration.messaging.canvas import Received
from orchestration.messaging.publisher import Message, Unroutable, publish
from orchestration.messaging.request import GoneOn, SagaRequest, are_reported
from orchestration.messaging.routing import queue_of

logger = logging.getLogger(__name__)


def strategy(task: Any, app: Any, consumer: Any) -> Callable[..., None]:
    """Celery's hook: what to do with each message of this task."""
    if not isinstance(consumer.pool, TaskPool):
        return default(task, app, consumer)  # type: ignore[no-any-return]
    return TaskStrategy(task, app, consumer).take


class TaskStrategy:
    """One task's messages in one worker."""

    def __init__(self, task: Any, app: Any, consumer: Any) -> None:
        self._task, self._app, self._consumer = task, app, consumer
        executors = _executors_of(consumer)
        work = type(task).make_work(self._end, executors)
        has_priority = settings.TOPOLOGY.is_for_compensations(queue_of(task.name) or "")
        execute = log_context.within(partial(self._execute, work), log_context.of_message)
        self._batches: Batches[Received] = Batches(execute, executors.batches, has_priority=has_priority)
        self._strategies = _strategies_of(consumer)
        self._strategies[task.name] = self

    def take(self, message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> None:
        """Take a message in; it is carried out soon."""
        content = _content(message)
        received = canvas.received(message.headers, content)
        received.delivery = request = self._request(message, content)
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
        self._batches.put([received])

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

    def _execute(self, work: Callable[[list[Received]], Thunk | None], messages: list[Received]) -> Thunk | None:
        began = time.time()
        for message in messages:
            if message.delivery.begun_by is message.delivery:
                state.task_accepted(message.delivery)
            message.delivery.time_start = began
        if self._is_watched():
            self._consumer.call_soon_ack(partial(_tell_started, messages))
        try:
            return work(messages)
        except Exception:  # a bug: nobody knows how far it came, and the ledgers do
            logger.exception("%s: %s messages are taken again", self._task.name, len(messages))
            self._consumer.call_soon_ack(partial(_give_back, [message.delivery.begun_by for message in messages]))
            return None

    def _end(self, endings: Sequence[Ending]) -> None:
        """Go on with what can be done here; for the rest, who waits for a turn does not wait for the broker, too."""
        to_send = self._gone_on(endings) if settings.GO_ON_HERE else endings
        if to_send:
            send = log_context.within(self._send_and_settle, log_context.of_ending)
            after_job(partial(send, [_as_message(ending) for ending in to_send]))

    def _gone_on(self, endings: Sequence[Ending]) -> list[Ending]:
        """Put what follows on its strategy, where this worker has that; give the rest."""
        rest, gone, here = [], [], defaultdict[str, list[Received]](list)
        for ending in endings:
            if message := self._next_here(ending):
                gone.append(ending)
                here[message.task].append(_gone_on(message, ending.message.delivery.begun_by))
            else:
                rest.append(ending)
        if gone and self._is_watched():
            self._consumer.call_soon_ack(partial(_tell_gone_on, gone))
        for task, messages in here.items():
            self._strategies[task].put(messages)
        return rest

    def _next_here(self, ending: Ending) -> Message | None:
        if ending.error or ending.is_dead or len(ending.messages) != 1:
            return None
        [message] = ending.messages
        consumed = self._app.amqp.queues.consume_from
        return message if message.task in self._strategies and message.queue in consumed else None

    def put(self, messages: list[Received]) -> None:
        """Take in what comes from another strategy."""
        self._batches.put(messages)

    def _is_watched(self) -> bool:
        return are_reported(self._consumer.event_dispatcher)

    def _send_and_settle(self, endings: Sequence[Ending]) -> None:
        """Send what follows; then, and only then, the messages are done with."""
        return_connections_between_jobs()  # the broker may take its time
        requests = [ending.message.delivery.begun_by for ending in endings]
        try:
            settled = self._publish_all(endings)
        except Exception as error:
            logger.error("%s: %s messages are taken again: %r", self._task.name, len(requests), error)
            self._consumer.call_soon_ack(partial(_give_back, requests))
            return
        self._consumer.call_soon_ack(partial(self._settle, settled))
        for ending in settled:
            if ending.error and not ending.is_dead:
                self._record_failure(ending)

    def _publish_all(self, endings: Sequence[Ending]) -> Sequence[Ending]:
        endings = [sendable(ending) for ending in endings]
        try:
            publish([message for ending in endings for message in ending.messages])
        except Unroutable as error:
            return [_turned_away(ending, error) for ending in endings]
        return endings

    def _record_failure(self, ending: Ending) -> None:
        request, error = ending.message.delivery, ending.error
        logger.error("%s[%s] failed: %r", self._task.name, request.id, error, exc_info=error)
        signals.task_failure.send(
            sender=self._task, task_id=request.id, exception=error, args=(), kwargs=request.kwargs,
            traceback=error.__traceback__ if error else None, einfo=None,
        )  # fmt: skip
        self._task.backend.mark_as_failure(
            request.id, error, request=Context(request.request_dict), store_result=True, call_errbacks=False
        )

    def _settle(self, endings: Sequence[Ending]) -> None:
        with self._at_once(endings):
            self._settle_each(endings)

    def _at_once(self, endings: Sequence[Ending]) -> AbstractContextManager[None]:
        """All acks in one piece, where one thread sends them and none of them is a failpoint."""
        if failpoints.is_armed() or not getattr(self._consumer, "hub", None) or not endings:
            return nullcontext()
        channel = endings[0].message.delivery.begun_by.message.channel
        return amqp_io.corked(getattr(channel, "connection", None))

    def _settle_each(self, endings: Sequence[Ending]) -> None:
        for ending in endings:
            request = ending.message.delivery
            state.task_ready(request.begun_by)
            if ending.is_dead:
                request.reject(requeue=False)
                continue
            request.begun_by.acknowledge()
            if ending.error:
                request.send_event("task-failed", exception=repr(ending.error), traceback="")
            else:
                request.send_event("task-succeeded", result="", runtime=time.time() - request.time_start)


def _gone_on(message: Message, begun_by: SagaRequest) -> Received:
    received = canvas.received(message.headers, message.content)
    received.delivery = GoneOn(message, received.kwargs, begun_by)
    return received


def _as_message(ending: Ending) -> Ending:
    """A dead letter has to be a message; one that went on without is sent, and dies when it is delivered."""
    delivery = ending.message.delivery
    return Ending(ending.message, [delivery.message]) if ending.is_dead and isinstance(delivery, GoneOn) else ending


@cache
def _strategies_of(consumer: Any) -> "dict[str, TaskStrategy]":
    """Every task's strategy in one worker."""
    return {}


@cache
def _executors_of(consumer: Any) -> Executors:
    """One for all tasks of a worker. Calls that hang leave threads to the batches, and to what follows these."""
    spawn, threads, batches = partial(_spawn, consumer.pool), consumer.pool.limit, settings.BATCHES_AT_A_TIME
    calls = max(1, threads - 2 * batches)
    stay = threads > batches + calls  # one is always to be had
    return Executors(Scheduler(spawn, batches, stay=stay), Scheduler(spawn, calls, stay=stay))


def _spawn(pool: TaskPool, thunk: Thunk) -> None:
    try:
        pool.apply_async(_without_connections_after, (thunk,), callback=lambda _: None)
    except RuntimeError:  # the pool is closing: what is under way comes to its end here
        thunk()


def _content(message: Any) -> Any:
    try:
        return orjson.loads(message.body)
    except ValueError as error:
        raise DecodeError(str(error)) from None


def _tell_started(messages: Sequence[Received]) -> None:
    """For the thread that reads: it also reads from the events' connection, and two threads in there wait for ever."""
    for message in messages:
        message.delivery.send_event("task-started")


def _tell_gone_on(endings: Sequence[Ending]) -> None:
    for ending in endings:
        request, [message] = ending.message.delivery, ending.messages
        request.send_event("task-succeeded", result="", runtime=time.time() - request.time_start)
        request.begun_by.eventer.send(
            "task-received", uuid=message.id, name=message.task, args="()", kwargs=message.headers["kwargsrepr"],
            root_id=message.headers["root_id"], parent_id=request.id, retries=0, eta=None, expires=None,
        )  # fmt: skip


def _turned_away(ending: Ending, error: Unroutable) -> Ending:
    if error.turned_away.isdisjoint(message.id for message in ending.messages):
        return ending
    logger.error("%s: what follows has no queue", ending.message.task)
    return Ending(ending.message, error=ending.error or error)


def _give_back(requests: Sequence[SagaRequest]) -> None:
    for request in requests:
        state.task_ready(request)
        request.reject(requeue=True)


def _without_connections_after(thunk: Thunk) -> None:
    try:
        thunk()
    finally:
        return_connections_between_jobs()
