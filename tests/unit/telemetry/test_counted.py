"""What is counted and how it is shown: right sums, right buckets, nothing that is not declared."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import generate_latest

from orchestration import signals
from orchestration.execution.results import Ending
from orchestration.messaging.canvas import Message
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.participant.breaker import BreakerOpen
from orchestration.participant.outcomes import Barred, BarResult, Done, Refused
from orchestration.protocol.states import Kind
from orchestration.telemetry import local_counts, metric_definitions
from orchestration.telemetry.prometheus_families import families

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    local_counts.take()


def step_message(task: str = "payments.authorise_payment", step: str = "authorise_payment") -> Message:
    return Message(task, "id", "id", [], {"saga_id": str(uuid4()), "step": step, "token": 1})


def counted_of(*outcomes: object, **task: str) -> dict[metric_definitions.Key, float]:
    """Return what is counted when messages end so, without the times."""
    endings = [Ending(step_message(**task), outcome=outcome) for outcome in outcomes]
    signals.steps_ended.send_robust(sender=None, endings=endings)
    return {key: by for key, by in local_counts.take().items() if key[0] != metric_definitions.STEP.name}


def moved(*kinds: tuple[Kind, str, dict[str, Any]], **columns: Any) -> dict[metric_definitions.Key, float]:
    saga = SagaInstance(definition="checkout.v2", created_at=NOON, **columns)
    entries = [SagaLogEntry(kind=kind, step=step, detail=detail) for kind, step, detail in kinds]
    signals.tell_moved([(saga, entries)])
    return dict(local_counts.take())


def text_of(values: dict[metric_definitions.Key, float]) -> list[str]:
    registry: Any = SimpleNamespace(collect=lambda: families(values))
    return [line for line in generate_latest(registry).decode().splitlines() if line[0] != "#"]


def test_each_end_of_a_message_is_counted_by_its_word() -> None:
    ends = [Done({}), Done({}), BarResult(holds=True), Refused({}), Barred(), BreakerOpen("b", NOON), ValueError("?")]
    outcomes = {key[3]: by for key, by in counted_of(*ends).items()}
    assert outcomes == {"done": 3, "refused": 1, "barred": 1, "breaker_open": 1, "failed": 1}


def test_what_repeats_the_ledger_is_a_duplicate() -> None:
    found = counted_of(Done({}, repeated=True), Refused({}, repeated=True), Done({}))
    assert found[metric_definitions.DUPLICATES.key("authorise_payment")] == 2


def test_a_message_that_is_in_a_batch_twice_is_a_duplicate() -> None:
    asked = step_message()
    signals.steps_ended.send_robust(sender=None, endings=[Ending(asked, outcome=Done({}))] * 2)
    assert local_counts.take()[metric_definitions.DUPLICATES.key("authorise_payment")] == 1


@pytest.mark.parametrize(
    ("task", "operation"),
    [
        ("payments.authorise_payment", "action"),
        ("payments.refund_payment", "compensation"),
        ("orders.bar", "bar"),
    ],
)
def test_a_task_is_known_by_what_it_does(task: str, operation: str) -> None:
    [key] = counted_of(Done({}), task=task)
    assert key[2] == operation


def test_a_message_is_timed_from_its_being_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = step_message()
    asked.began = 7.0
    monkeypatch.setattr("orchestration.telemetry.signal_receivers.time.monotonic", lambda: 7.015625)
    signals.steps_ended.send_robust(sender=None, endings=[Ending(asked, outcome=Done({}))])
    lines = text_of(dict(local_counts.take()))
    at = 'saga_step_seconds_bucket{le="%s",operation="action",step="authorise_payment"} %s'
    assert at % ("0.01", "0.0") in lines
    assert at % ("0.025", "1.0") in lines
    assert at % ("+Inf", "1.0") in lines
    assert 'saga_step_seconds_sum{operation="action",step="authorise_payment"} 0.015625' in lines


def test_a_failed_try_is_a_retry_unless_the_saga_is_given_up_or_the_step_parked() -> None:
    failed = (Kind.FAILED, "capture_payment", {"class": "Timeout"})
    assert moved(failed) == {metric_definitions.RETRIES.key("capture_payment", "Timeout"): 1}
    assert moved(failed, (Kind.PARKED, "capture_payment", {"class": "Timeout"})) == {
        metric_definitions.PARKINGS.key("capture_payment", "Timeout"): 1
    }
    assert moved(failed, (Kind.GAVE_UP, "", {"code": "step_failed"})) == {
        metric_definitions.GIVEN_UP.key("checkout.v2", "step_failed"): 1
    }


def test_refusals_are_counted_by_their_code() -> None:
    refused = (Kind.REFUSED, "reserve_stock", {"code": "out_of_stock"})
    sent = (Kind.SENT, "", {"what": "undo"})
    assert moved(refused, sent) == {
        metric_definitions.REFUSALS.key("reserve_stock", "out_of_stock"): 1,
        metric_definitions.DISPATCHES.key("checkout.v2", "undo", "false"): 1,
    }


def test_a_saga_is_timed_from_start_to_end() -> None:
    found = moved((Kind.COMPLETED, "", {}), phase="completed", ended_at=NOON + timedelta(seconds=7))
    assert found[metric_definitions.ENDED.key("checkout.v2", "completed")] == 1
    assert found[(metric_definitions.END_TO_END.name, "checkout.v2", "completed", metric_definitions.SUM)] == 7


def test_what_another_version_has_counted_is_left_out() -> None:
    assert (
        text_of({("saga_of_yesterday_total", "x"): 1, (metric_definitions.STARTED.name, "checkout.v2", "more"): 1})
        == []
    )


def test_buckets_have_no_gap_at_their_bounds() -> None:
    for bound in metric_definitions.QUICK:
        (key, _), _ = metric_definitions.STEP.seen(bound, "s", "action")
        assert metric_definitions.QUICK[int(key[-1])] == bound
    (key, _), _ = metric_definitions.STEP.seen(31, "s", "action")
    assert int(key[-1]) == len(metric_definitions.QUICK)


def test_a_deadlock_is_counted_once_with_all_of_its_definitions() -> None:
    gave_up = {"code": "deadlock", "definitions": ["b.v1", "a.v1", "b.v1"]}
    found = moved((Kind.GAVE_UP, "", gave_up))
    assert found[metric_definitions.DEADLOCKS.key("checkout.v2", "a.v1 b.v1")] == 1
    assert found[metric_definitions.GIVEN_UP.key("checkout.v2", "deadlock")] == 1


def test_an_ended_wait_for_a_lock_is_timed_by_the_name_of_the_lock() -> None:
    signals.lock_waits_ended.send_robust(sender=None, waits=[("order:1", timedelta(seconds=4))])
    lines = text_of(dict(local_counts.take()))
    assert 'saga_lock_wait_seconds_bucket{le="5.0",lock="order"} 1.0' in lines
    assert 'saga_lock_wait_seconds_sum{lock="order"} 4.0' in lines
