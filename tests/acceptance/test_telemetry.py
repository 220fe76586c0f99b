"""What workers tell of the orders they work on: counts that add up, one trace an order, a saga on each line."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from orchestration.engine import engine
from orchestration.telemetry import metric_definitions, redis_counts, tracing
from orchestration.telemetry.spans import Spans, exporter_for
from tests.support.wait import wait_for

pytestmark = pytest.mark.usefixtures("audited")

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    return tmp_path / "traces"


@pytest.fixture
def telling(start_worker, traces) -> Callable[[], Any]:
    """Starts a worker that traces, and logs JSON."""
    env = {"SHOP_TRACES": f"file:{traces}", "SHOP_LOG_FORMAT": "json", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    return lambda: start_worker(env=env)


@pytest.fixture
def post(traces, shop):
    """Places an order as a request does that is traced."""
    spans = Spans(exporter_for(f"file:{traces}"), "tests")
    tracing.trace_with(spans)

    def post(**asked: Any) -> UUID:
        placed: list[UUID] = []

        def view(request: HttpRequest) -> HttpResponse:
            placed.append(shop.place(**asked))
            return HttpResponse(status=202)

        tracing.middleware(view)(RequestFactory().post("/api/v1/checkouts", headers={"traceparent": CALLER}))
        return placed[0]

    yield post
    tracing.trace_with(None)


def trace_of(traces: Path, saga_id: UUID) -> list[dict[str, Any]]:
    """Every span of the saga's trace, once that of the whole is there."""
    tracing._spans.flush()  # type: ignore[union-attr]

    def found() -> list[dict[str, Any]]:
        spans = [json.loads(line) for line in traces.read_text().splitlines()]
        own = [span for span in spans if span["context"]["trace_id"] == f"0x{saga_id.hex}"]
        return own if any(span["parent_id"] is None for span in own) else []

    return wait_for(found, seconds=20, what="the end of the trace") or []


def test_an_order_is_one_trace_from_the_request_through_a_retry_and_a_resume(post, shop, telling, traces):
    retried, resumed = post(payment_method="tok_capture_fail_1"), post()
    engine.resume_saga(resumed, by="an operator", reason="a test", now=datetime.now(UTC))
    workers = [telling(), telling()]
    assert shop.ended(retried, resumed) == ["completed", "completed"]
    for worker in workers:
        worker.stop()

    for saga_id in (retried, resumed):
        spans = trace_of(traces, saga_id)
        ids = {span["context"]["span_id"] for span in spans}
        assert {span["parent_id"] for span in spans} - ids == {None}, "every span but the whole stands under another"
        [whole] = [span for span in spans if span["parent_id"] is None]
        assert whole["name"] == "checkout.v2"
        [request] = [span for span in spans if span["kind"] == "SpanKind.SERVER"]
        assert (request["name"], request["parent_id"]) == ("POST /api/v1/checkouts", whole["context"]["span_id"])
        assert request["links"][0]["context"]["span_id"] == "0xb7ad6b7169203331"
        sent = {span["attributes"]["saga.token"]: span for span in spans if span["name"].startswith("send ")}
        assert sent[2]["links"][0]["context"]["span_id"] == sent[1]["context"]["span_id"]

    tries = [span for span in trace_of(traces, retried) if span["name"] == "payments.capture_payment"]
    assert [span["status"]["status_code"] for span in sorted(tries, key=lambda span: span["start_time"])] == [
        "ERROR",
        "UNSET",
    ]
    held = [span["attributes"]["saga.outcome"] for span in trace_of(traces, resumed) if "reserve" in span["name"]]
    assert held == ["done", "done"], "the first message and that of the resumption have both come"


def test_counts_of_all_workers_add_up_also_those_of_one_that_was_killed(shop, telling):
    before = counts()
    workers = [telling(), telling()]
    first = [shop.place() for _ in range(20)]
    shop.ended(*first)
    wait_for(lambda: gained(before) == 20, seconds=20, what="the counts of 20 orders")
    workers[0].kill()
    second = [shop.place() for _ in range(10)]
    shop.ended(*second)
    wait_for(lambda: gained(before) == 30, seconds=20, what="the counts of 30 orders")

    lines = [json.loads(line) for line in workers[1].log().splitlines() if line.startswith("{")]
    about_steps = [line for line in lines if " step " in line["message"]]
    assert about_steps
    assert all(line["saga"] in line["message"] for line in about_steps)
    assert {UUID(line["saga"]) for line in about_steps} <= {*first, *second}


def counts() -> Counter[metric_definitions.Key]:
    return Counter(redis_counts.totals())  # type: ignore[arg-type]


def gained(before: Counter[metric_definitions.Key]) -> float:
    key = metric_definitions.ENDED.key("checkout.v2", "completed")
    return counts()[key] - before[key]
