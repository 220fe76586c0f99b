"""A worker that consumes the next step's queue runs that step without publishing its message.

The message that began it is acknowledged after the last step.
"""

from types import SimpleNamespace
from typing import Any

import pytest

from config.celery import app
from orchestration.execution import strategy
from orchestration.execution.results import Ending
from orchestration.execution.task import BatchedTask
from orchestration.messaging import routing
from orchestration.messaging.canvas import Message
from tests.integration.execution.test_strategy import Consumer, Delivered

QUEUE = "here"


class Worker:
    """A worker with strategies for two tasks. `test.next` follows `test.task`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ran: list[str] = []
        self.published: list[str] = []
        self.first: Delivered | None = None
        self.said_meanwhile: list[Any] = []
        self.next_ends: dict[str, Any] = {}
        monkeypatch.setattr(strategy, "publish", lambda messages: self.published.extend(each.task for each in messages))
        monkeypatch.setattr(app.amqp.queues, "_consume_from", {QUEUE: None})
        monkeypatch.setitem(routing._queues, "test.next", QUEUE)
        consumer = Consumer()
        self.strategies = {
            name: strategy.TaskStrategy(self._task(name, make_work), app, consumer)
            for name, make_work in (("test.task", self._first), ("test.next", self._next))
        }

    def deliver(self, message: Delivered) -> None:
        self.first = message
        self.strategies["test.task"].take(message, None, None, None, ())

    def _task(self, name: str, make_work: Any) -> Any:
        record = SimpleNamespace(mark_as_failure=lambda *_, **__: None)
        made = {"name": name, "make_work": staticmethod(make_work), "backend": record, "app": app}
        return type("Task", (BatchedTask,), made)()

    def _first(self, end: Any, executors: Any) -> Any:
        def work(messages: list[Any]) -> None:
            self.ran.append("test.task")
            end([Ending(each, [following("test.next")]) for each in messages])

        return work

    def _next(self, end: Any, executors: Any) -> Any:
        def work(messages: list[Any]) -> None:
            self.ran.append("test.next")
            assert self.first
            self.said_meanwhile = list(self.first.said)
            if "bug" in self.next_ends:
                raise ZeroDivisionError
            end([Ending(each, **self.next_ends) for each in messages])

        return work


def following(task: str) -> Message:
    return Message(task, "2", "1", [], {})


@pytest.fixture
def worker(monkeypatch) -> Worker:
    return Worker(monkeypatch)


def test_first_message_is_acknowledged_after_the_last_step(worker):
    message = Delivered(1)
    worker.deliver(message)

    assert worker.ran == ["test.task", "test.next"]
    assert (worker.said_meanwhile, message.said, worker.published) == ([], ["ack"], [])


def test_message_after_the_last_local_step_is_published_before_the_first_is_acknowledged(worker):
    worker.next_ends = {"messages": [following("test.elsewhere")]}
    message = Delivered(1)
    worker.deliver(message)

    assert (worker.published, message.said) == (["test.elsewhere"], ["ack"])


def test_message_is_published_if_this_worker_does_not_consume_its_queue(worker, monkeypatch):
    monkeypatch.setattr(app.amqp.queues, "_consume_from", {})
    message = Delivered(1)
    worker.deliver(message)

    assert (worker.ran, worker.published, message.said) == (["test.task"], ["test.next"], ["ack"])


def test_message_of_each_step_is_published_if_the_settings_say_so(worker, settings):
    settings.GO_ON_HERE = False
    worker.deliver(Delivered(1))

    assert worker.published == ["test.next"]


def test_first_message_is_requeued_after_a_bug_in_a_later_step(worker):
    worker.next_ends = {"bug": True}
    message = Delivered(1)
    worker.deliver(message)

    assert (message.said, worker.published) == (["again"], [])


def test_handed_over_message_that_no_worker_can_run_is_published_to_be_dead_lettered(worker):
    worker.next_ends = {"outcome": ValueError("unreadable"), "is_dead": True}
    message = Delivered(1)
    worker.deliver(message)

    assert (message.said, worker.published) == (["ack"], ["test.next"])


def test_message_that_is_handed_over_is_never_encoded(worker, monkeypatch):
    encoded: list[str] = []
    monkeypatch.setattr(Message, "headers", property(lambda message: encoded.append(message.task)))
    monkeypatch.setattr(Message, "body", property(lambda message: encoded.append(message.task)))
    worker.deliver(Delivered(1))

    assert (worker.ran, encoded) == (["test.task", "test.next"], [])


def test_watched_worker_sends_the_events_of_each_step(worker, monkeypatch):
    events: list[tuple[str, str]] = []
    dispatcher = SimpleNamespace(enabled=True, groups=(), send=lambda event, uuid, **_: events.append((event, uuid)))
    for each in worker.strategies.values():
        monkeypatch.setattr(each._consumer, "event_dispatcher", dispatcher, raising=False)
    worker.deliver(Delivered(1))

    assert events == [
        ("task-received", "1"),
        ("task-started", "1"),
        ("task-succeeded", "1"),
        ("task-received", "2"),
        ("task-started", "2"),
        ("task-succeeded", "2"),
    ]
