"""A worker that consumes the next step's queue, too: it goes on at once, and the first message stands for all of it."""

from types import SimpleNamespace
from typing import Any

import pytest

from config.celery import app
from orchestration.execution import strategy
from orchestration.execution.results import Ending
from orchestration.execution.task import BatchedTask
from orchestration.messaging.publisher import Message
from tests.integration.orchestration.test_strategy import Consumer, Delivered

QUEUE = "here"


class Worker:
    """One with a strategy for two tasks: what is done by `test.task` is followed by `test.next`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.carried_out: list[str] = []
        self.published: list[str] = []
        self.first: Delivered | None = None
        self.said_meanwhile: list[Any] = []
        self.next_ends: dict[str, Any] = {}
        monkeypatch.setattr(strategy, "publish", lambda messages: self.published.extend(each.task for each in messages))
        monkeypatch.setattr(app.amqp.queues, "_consume_from", {QUEUE: None})
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
            self.carried_out.append("test.task")
            end([Ending(each, [following("test.next")]) for each in messages])

        return work

    def _next(self, end: Any, executors: Any) -> Any:
        def work(messages: list[Any]) -> None:
            self.carried_out.append("test.next")
            assert self.first
            self.said_meanwhile = list(self.first.said)
            if "bug" in self.next_ends:
                raise ZeroDivisionError
            end([Ending(each, **self.next_ends) for each in messages])

        return work


def following(task: str) -> Message:
    headers = {"id": "2", "task": task, "root_id": "1", "kwargsrepr": "{}"}
    return Message(task, QUEUE, "2", [[], {}, {"chain": None, "errbacks": None}], headers)


@pytest.fixture
def worker(monkeypatch) -> Worker:
    return Worker(monkeypatch)


def test_the_first_message_is_done_with_when_the_last_step_is(worker):
    message = Delivered(1)
    worker.deliver(message)

    assert worker.carried_out == ["test.task", "test.next"]
    assert (worker.said_meanwhile, message.said, worker.published) == ([], ["ack"], [])


def test_what_follows_the_last_step_is_sent_before_that(worker):
    worker.next_ends = {"messages": [following("test.elsewhere")]}
    message = Delivered(1)
    worker.deliver(message)

    assert (worker.published, message.said) == (["test.elsewhere"], ["ack"])


def test_a_step_whose_queue_is_not_consumed_here_is_sent(worker, monkeypatch):
    monkeypatch.setattr(app.amqp.queues, "_consume_from", {})
    message = Delivered(1)
    worker.deliver(message)

    assert (worker.carried_out, worker.published, message.said) == (["test.task"], ["test.next"], ["ack"])


def test_each_step_is_sent_where_the_settings_say_so(worker, settings):
    settings.GO_ON_HERE = False
    worker.deliver(Delivered(1))

    assert worker.published == ["test.next"]


def test_a_bug_in_a_later_step_has_the_first_message_come_again(worker):
    worker.next_ends = {"bug": True}
    message = Delivered(1)
    worker.deliver(message)

    assert (message.said, worker.published) == (["again"], [])


def test_a_step_that_nobody_can_carry_out_is_made_a_message_and_dies_as_one(worker):
    worker.next_ends = {"error": ValueError("unreadable"), "is_dead": True}
    message = Delivered(1)
    worker.deliver(message)

    assert (message.said, worker.published) == (["ack"], ["test.next"])
