"""Our messages are those that Celery's own chain would publish."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from celery import Signature, chain, current_app, signature
from celery.app.amqp import AMQP

from orchestration.messaging import canvas
from orchestration.messaging.canvas import Message
from orchestration.protocol.itinerary import (
    CHAIN_COMPLETED,
    LOCK_GRANTED,
    PIVOT_OUTCOME,
    STEP_FAILED,
    STEP_REFUSED,
    STEP_WAITS,
    STEPS_UNDONE,
)
from orchestration.protocol.states import Bar, Command, Undo
from orchestration.sagas.checkout import checkout
from tests.support.shop import forward_from

SAGA_ID, TOKEN = uuid4(), 7
CONTEXT: dict[str, Any] = {"known": {"order_id": "o", "lines": [{"sku": "MUG", "quantity": 2}]}, "trail": []}
LATER: dict[str, Any] = {**CONTEXT, "trail": [["reserve_stock", "2026-05-01T12:00:00+00:00"]]}

NOT_SENT: dict[str, Any] = {
    "shadow": None,
    "eta": None,
    "expires": None,
    "group": None,
    "group_index": None,
    "retries": 0,
    "timelimit": [None, None],
    "ignore_result": True,
    "replaced_task_nesting": 0,
    "stamped_headers": None,
    "stamps": {},
}
"""Celery's headers that we leave out, with what Celery sends. Workers take the same when a header is absent.

`ignore_result` is an option of our tasks.
"""
IDS = {"id", "root_id", "parent_id", "origin", "task_id", "reply_to"}

CHAINS = {
    forward_from("reserve_stock"): (
        [
            ("inventory.reserve_stock", "reserve_stock", "action"),
            ("payments.authorise_payment", "authorise_payment", "action"),
            ("shipping.schedule_shipment", "schedule_shipment", "action"),
            ("orders.place_order", "place_order", "action"),
            ("payments.capture_payment", "capture_payment", "action"),
        ],
        CHAIN_COMPLETED,
    ),
    forward_from("capture_payment"): ([("payments.capture_payment", "capture_payment", "action")], CHAIN_COMPLETED),
    Undo(("schedule_shipment", "reserve_stock")): (
        [
            ("shipping.cancel_shipment", "schedule_shipment", "compensation"),
            ("inventory.release_stock", "reserve_stock", "compensation"),
        ],
        STEPS_UNDONE,
    ),
    Bar(): ([("orders.bar", "place_order", "bar")], PIVOT_OUTCOME),
}
"""By command: the task, step and operation of each link, and the report at the end."""
NAMES = ["all steps", "the last step", "compensations", "bar"]


class Published:
    """What Celery hands to its producer: one message after the other."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.queues: list[str] = []

    def send(self, producer: Any, name: str, message: Any, *, queue: Any, **_: Any) -> None:
        self.messages.append(message)
        self.queues.append(queue.name)

    def pop(self) -> tuple[dict[str, Any], Any, str]:
        """Return the headers, the body as JSON has it, and the queue of the only message."""
        [message], [queue] = self.messages, self.queues
        self.messages.clear()
        self.queues.clear()
        return message.headers, json.loads(json.dumps(message.body)), queue


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[Published]:
    published = Published()
    monkeypatch.setattr(AMQP, "send_task_message", property(lambda _: published.send))
    yield published
    assert published.messages == []


def link(task: str, step: str, operation: str) -> Signature:
    ids = {"saga_id": str(SAGA_ID), "token": TOKEN}
    errback = signature(STEP_FAILED, kwargs={"step": step, "operation": operation, **ids}, app=current_app)
    return signature(task, kwargs={"step": step, **ids}, app=current_app).on_error(errback)


def celery_chain(command: Command) -> Any:
    links, end = CHAINS[command]
    report = signature(end, kwargs={"saga_id": str(SAGA_ID), "token": TOKEN}, app=current_app)
    return chain(*(link(*each) for each in links), report)


def ours(command: Command) -> Message:
    return canvas.command_message(checkout, command, SAGA_ID, TOKEN, CONTEXT)


def delivered(message: Message) -> Message:
    return canvas.received(message.headers, orjson.loads(message.body))


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_ids(each) for key, each in value.items() if key not in IDS}
    return [without_ids(each) for each in value] if isinstance(value, list) else value


def assert_same(message: Message, published: Published) -> None:
    headers, body, queue = published.pop()
    left_out = headers.keys() - message.headers.keys() - IDS
    assert {name: headers[name] for name in left_out} == NOT_SENT
    assert without_ids(message.headers) == {name: headers[name] for name in headers.keys() - left_out - IDS}
    assert without_ids(orjson.loads(message.body)) == without_ids(body)
    assert message.queue == queue


@pytest.mark.parametrize("command", CHAINS, ids=NAMES)
def test_command_is_the_message_that_celery_s_chain_publishes(published: Published, command: Command) -> None:
    celery_chain(command).apply_async(args=[CONTEXT])

    assert_same(ours(command), published)


@pytest.mark.parametrize("command", CHAINS, ids=NAMES)
def test_each_next_message_is_the_one_that_a_celery_worker_publishes(published: Published, command: Command) -> None:
    celery_chain(command).apply_async(args=[CONTEXT])
    _, (_, _, embed), _ = published.pop()
    message, links = delivered(ours(command)), embed["chain"]
    while links:
        following = Signature.from_dict(links.pop(), app=current_app)  # as in celery.app.trace
        following.apply_async((LATER,), parent_id=message.id, root_id=message.root_id, chain=links or None)
        [sent] = message.next(LATER)
        assert_same(sent, published)
        assert (sent.parent_id, sent.root_id) == (message.id, message.root_id)
        message = delivered(sent)
    assert message.next(LATER) == []


@pytest.mark.parametrize("facts", [{}, {"error": {"class": "GatewayBroken"}, "carried": CONTEXT}], ids=["", "facts"])
def test_failure_is_the_message_of_celery_s_errback(published: Published, facts: dict[str, Any]) -> None:
    """Celery would also put the errbacks of one message into a group, which only numbers them."""
    message = delivered(ours(forward_from("reserve_stock")))
    errback = Signature.from_dict(dict(message.errbacks[0]), app=current_app)
    errback.clone(kwargs=facts).apply_async((message.id,))

    [sent] = message.failed(facts)
    assert_same(sent, published)


def test_refusal_is_the_message_that_celery_publishes(published: Published) -> None:
    message, refusal = delivered(ours(forward_from("reserve_stock"))), {"code": "out_of_stock"}
    kwargs = {"saga_id": str(SAGA_ID), "step": "reserve_stock", "token": TOKEN, "refusal": refusal}
    signature(STEP_REFUSED, kwargs=kwargs, app=current_app).apply_async((CONTEXT,))

    [sent] = message.refused(refusal, CONTEXT)
    assert_same(sent, published)


def test_wait_for_a_lock_is_the_message_that_celery_publishes(published: Published) -> None:
    message, facts = (
        ours(forward_from("reserve_stock")),
        {"resource": "order:1", "holder": str(SAGA_ID), "before": 2, "since": "2026-05-01"},
    )
    kwargs = {"saga_id": str(SAGA_ID), "step": "reserve_stock", "token": TOKEN, **facts}
    signature(STEP_WAITS, kwargs=kwargs, app=current_app).apply_async((CONTEXT,))

    [sent] = message.waits(facts, CONTEXT)
    assert_same(sent, published)


def test_grant_of_a_lock_names_only_the_saga_that_waited_and_its_step(published: Published) -> None:
    kwargs = {"saga_id": str(UUID(int=1)), "step": "open_change"}
    signature(LOCK_GRANTED, kwargs=kwargs, app=current_app).apply_async()

    assert_same(ours(forward_from("reserve_stock")).lock_granted(UUID(int=1), "open_change"), published)


def test_ids_of_one_saga_are_not_kept_for_the_next() -> None:
    other = UUID(int=1)
    canvas.command_message(checkout, forward_from("reserve_stock"), other, 3, CONTEXT)
    body = orjson.loads(ours(forward_from("reserve_stock")).body)

    assert canvas.chain_of(checkout, forward_from("reserve_stock")) is canvas.chain_of(
        checkout, forward_from("reserve_stock")
    )
    assert str(other) not in str(body)
