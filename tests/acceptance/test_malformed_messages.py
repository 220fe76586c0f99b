"""Messages that nobody can carry out: dead-lettered, and neither worker nor saga dies of them."""

import json
from typing import Any

import pytest

from orchestration.messaging.topology import ORCHESTRATOR
from tests.support import broker

pytestmark = pytest.mark.usefixtures("audited")

Parts = tuple[str, dict[str, Any]]
"""A message's body and headers."""

JSON = {"content_type": "application/json", "content_encoding": "utf-8"}


def not_json(body: str, headers: dict[str, Any]) -> Parts:
    return body[:-5], headers


def unknown_task(body: str, headers: dict[str, Any]) -> Parts:
    return body, headers | {"task": "inventory.reserve_stok"}


def no_saga_id(body: str, headers: dict[str, Any]) -> Parts:
    args, kwargs, embed = json.loads(body)
    return json.dumps([args, {name: value for name, value in kwargs.items() if name != "saga_id"}, embed]), headers


def saga_id_of_the_wrong_type(body: str, headers: dict[str, Any]) -> Parts:
    args, kwargs, embed = json.loads(body)
    return json.dumps([args, kwargs | {"saga_id": 7}, embed]), headers


def no_arguments(body: str, headers: dict[str, Any]) -> Parts:
    _, kwargs, embed = json.loads(body)
    return json.dumps([[], kwargs, embed]), headers


def facts_missing(body: str, headers: dict[str, Any]) -> Parts:
    _, kwargs, embed = json.loads(body)
    return json.dumps([[{"known": {}, "trail": []}], kwargs, embed]), headers


def facts_of_the_wrong_type(body: str, headers: dict[str, Any]) -> Parts:
    [context], kwargs, embed = json.loads(body)
    known = context["known"] | {"lines": [{"sku": "MUG-01", "quantity": "two", "unit_price_minor": 100}]}
    return json.dumps([[{"known": known, "trail": []}], kwargs, embed]), headers


MANGLINGS = [
    not_json,
    unknown_task,
    no_saga_id,
    saga_id_of_the_wrong_type,
    no_arguments,
    facts_missing,
    facts_of_the_wrong_type,
]


def test_mangled_messages_are_dead_lettered_and_their_sagas_recover(shop, start_worker):
    saga_ids = [shop.place() for _ in MANGLINGS]
    messages = [broker.take_message("inventory") for _ in MANGLINGS]
    for mangle, message in zip(MANGLINGS, messages, strict=True):
        body, headers = mangle(message.body, message.headers)
        broker.publish_raw("inventory", body, headers=headers, **JSON)

    worker = start_worker()

    assert shop.ended(*saga_ids) == ["completed"] * len(MANGLINGS)
    assert broker.dead_letters() == len(MANGLINGS)
    assert worker.is_alive()


@pytest.mark.parametrize("queue", [ORCHESTRATOR, "payments", "payments.compensations"])
def test_garbage_in_any_queue_is_dead_lettered_and_orders_go_on(shop, start_worker, queue: str):
    garbage = ["", "not json", "[]", "{}", "null", '[[], {}, {"chain": null}]']
    worker = start_worker()
    for body in garbage:
        broker.publish_raw(queue, body, **JSON)
    broker.publish_raw(queue, b"\x80\x02", content_type="application/x-python-serialize", content_encoding="binary")

    saga_id = shop.place()

    assert shop.ended(saga_id) == ["completed"]
    assert broker.dead_letters() == len(garbage) + 1
    assert worker.is_alive()


def test_headers_that_are_no_texts_are_dead_lettered_and_end_no_worker(shop, start_worker):
    worker = start_worker()
    odd = [
        {"task": ["inventory.reserve_stock"], "id": "1"},
        {"task": "inventory.reserve_stock", "id": ["1"]},
        {"task": "orchestration.pass_marker", "id": ["1"]},
    ]
    for headers in odd:
        broker.publish_raw("inventory", "[[], {}, {}]", headers=headers, **JSON)
    broker.publish_raw("inventory", '{"task": ["inventory.reserve_stock"], "id": "1"}', **JSON)

    saga_id = shop.place()

    assert shop.ended(saga_id) == ["completed"]
    assert broker.dead_letters() == len(odd) + 1
    assert worker.is_alive()


@pytest.mark.parametrize("report", ["chain_completed", "step_refused", "step_failed", "steps_undone", "pivot_settled"])
def test_report_that_says_nothing_is_dead_lettered(shop, start_worker, workforce, report: str):
    start_worker([ORCHESTRATOR])

    headers = {"task": f"orchestration.{report}", "id": "report-1", "lang": "py"}
    broker.publish_raw(ORCHESTRATOR, '[["?"], {"saga_id": "?"}, {}]', headers=headers, **JSON)
    workforce.wait_until_quiet()

    assert broker.dead_letters() == 1
