"""A worker runs a batch of messages, publishes the next messages, and acknowledges the batch only after that."""

from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from celery.concurrency.thread import TaskPool
from celery.exceptions import InvalidTaskError, Reject
from kombu.exceptions import DecodeError, OperationalError

from config.celery import app
from orchestration.execution import strategy
from orchestration.execution.inline import run_inline
from orchestration.execution.results import Ending
from orchestration.execution.task import BatchedTask
from orchestration.messaging.canvas import Message
from orchestration.messaging.publisher import Unroutable


class Inline(TaskPool):
    """A pool that runs everything at once."""

    limit = 8

    def __init__(self) -> None:
        pass

    def apply_async(self, target: Any, args: Any = (), **_: Any) -> None:  # type: ignore[override]
        target(*args)


class Delivered:
    """A message as Celery's consumer hands it over."""

    delivery_info: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    content_type, content_encoding = "application/json", "utf-8"

    def __init__(self, number: int, body: bytes | None = None) -> None:
        self.headers = {"id": str(number), "task": "test.task"}
        errback = {"task": "test.failed", "kwargs": {"saga_id": "7"}, "options": {"task_id": f"failure of {number}"}}
        content = [[number], {}, {"chain": None, "errbacks": [errback]}]
        self.body = orjson.dumps(content) if body is None else body
        self.said: list[Any] = []

    def ack_log_error(self, *_: Any, **__: Any) -> None:
        self.said.append("ack")

    def reject_log_error(self, logger: Any, errors: Any, requeue: bool) -> None:
        self.said.append("again" if requeue else "dead")


class Consumer:
    """Celery's consumer, as far as a strategy needs it."""

    pool, hostname, event_dispatcher, connection_errors = Inline(), "w", None, ()

    def call_soon_ack(self, callback: Any) -> None:
        callback()


class FakeStrategy:
    """A worker's strategy for one task whose messages end as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[list[int]] = []
        self.ends: dict[int, dict[str, Any]] = {}
        self.published: list[str] = []
        self.broken: Exception | None = None
        self.recorded: list[str] = []
        monkeypatch.setattr(strategy, "publish", self._publish)
        record = SimpleNamespace(mark_as_failure=lambda task_id, error, **_: self.recorded.append(task_id))
        made = {"name": "test.task", "make_work": staticmethod(self._open), "backend": record, "app": app}
        task = type("Task", (BatchedTask,), made)()
        self.take = strategy.TaskStrategy(task, app, Consumer()).take

    def deliver(self, *messages: Delivered) -> None:
        for message in messages:
            self.take(message, None, None, None, ())

    def _open(self, end: Any, executors: Any) -> Any:
        def work(messages: list[Any]) -> None:
            self.batches.append([message.args[0] for message in messages])
            if "bug" in self.ends.get(messages[0].args[0], {}):
                raise ZeroDivisionError
            end(
                [
                    Ending(message, **{"messages": [next_message(message.id)], **self._end(message)})
                    for message in messages
                ]
            )

        return work

    def _end(self, message: Any) -> dict[str, Any]:
        return self.ends.get(message.args[0], {})

    def _publish(self, messages: list[Message]) -> None:
        if self.broken:
            raise self.broken
        self.published += [each.id for each in messages]


def next_message(of: str) -> Message:
    return Message("test.next", f"after {of}", of, [], {})


@pytest.fixture
def worker(monkeypatch) -> FakeStrategy:
    return FakeStrategy(monkeypatch)


def test_message_is_acknowledged_after_its_next_message_is_published(worker):
    message = Delivered(1)
    worker.deliver(message)

    assert (worker.batches, worker.published, message.said) == ([[1]], ["after 1"], ["ack"])


def test_message_whose_next_message_is_not_published_is_requeued(worker):
    worker.broken = OperationalError("no broker")
    message = Delivered(1)
    worker.deliver(message)

    assert message.said == ["again"]
    assert worker.recorded == []


def test_next_message_without_a_queue_is_recorded_as_a_failure_and_left_to_recovery(worker):
    worker.broken = Unroutable({"after 1"})
    lost, fine = Delivered(1), Delivered(2)
    worker.deliver(lost, fine)

    assert (lost.said, fine.said) == (["ack"], ["ack"])
    assert worker.recorded == ["1"]


def test_failure_is_recorded_and_its_message_acknowledged(worker):
    worker.ends[1] = {"outcome": ValueError("broken")}
    message = Delivered(1)
    worker.deliver(message)

    assert (message.said, worker.recorded, worker.published) == (["ack"], ["1"], ["after 1"])


def test_next_message_that_json_cannot_encode_fails_alone_and_is_reported_to_its_saga(worker, monkeypatch):
    worker.ends[2] = {"messages": [Message("test.next", "after 2", "2", ["half a pair: \ud83d"], {})]}
    messages = [Delivered(number) for number in (1, 2, 3)]
    worker.deliver(messages[0])
    worker.deliver(*messages[1:])

    assert [message.said for message in messages] == [["ack"]] * 3
    assert worker.published == ["after 1", "failure of 2", "after 3"]
    assert worker.recorded == ["2"]


def test_message_that_no_worker_can_run_is_dead_lettered(worker):
    worker.ends[1] = {"outcome": ValueError("unreadable"), "is_dead": True}
    message = Delivered(1)
    worker.deliver(message)

    assert (message.said, worker.recorded) == (["dead"], [])


def test_messages_are_requeued_after_a_bug_in_the_work(worker):
    worker.ends[1] = {"bug": True}
    message = Delivered(1)
    worker.deliver(message)

    assert message.said == ["again"]


@pytest.mark.parametrize(
    ("body", "error"), [(b"{", DecodeError), (b"[]", InvalidTaskError), (b'[[1], "x", {}]', InvalidTaskError)]
)
def test_delivery_that_is_no_task_message_is_left_to_the_consumer(worker, body, error):
    with pytest.raises(error):
        worker.deliver(Delivered(1, body))
    assert worker.batches == []


LINK = {"task": "test.next", "kwargs": {}, "options": {}}


@pytest.mark.parametrize("where", ["chain", "errbacks"])
@pytest.mark.parametrize(
    "links",
    [
        7,
        "test.next",
        [7],
        [{**LINK, "task": ["test.next"]}],
        [{**LINK, "kwargs": []}],
        [{**LINK, "options": None}],
        [{**LINK, "options": {"task_id": 7}}],
        [{**LINK, "options": {"link_error": [7]}}],
        [{"task": "test.next"}],
    ],
    ids=str,
)
def test_message_with_a_link_that_cannot_be_followed_is_refused_before_its_step_runs(worker, where, links):
    with pytest.raises(InvalidTaskError):
        worker.deliver(Delivered(1, orjson.dumps([[1], {}, {where: links}])))
    assert worker.batches == []


def test_pool_that_runs_messages_one_by_one_rejects_a_link_that_cannot_be_followed():
    request = SimpleNamespace(id="1", root_id="1", chain=[7], errbacks=None)
    with pytest.raises(Reject) as rejected:
        run_inline(SimpleNamespace(name="test.task", request=request), pytest.fail, (), {})
    assert not rejected.value.requeue
