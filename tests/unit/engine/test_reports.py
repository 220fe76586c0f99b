"""Reports to the orchestrator are messages of their own."""

from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import pytest
from celery import current_app

from orchestration.contracts.codec import Malformed
from orchestration.engine import reports
from orchestration.messaging.task import SagaTask
from orchestration.protocol import itinerary
from orchestration.protocol.events import LockGranted, StepWaits

SAGA = UUID(int=12)
REPORTS = [
    itinerary.CHAIN_COMPLETED,
    itinerary.STEP_REFUSED,
    itinerary.STEP_FAILED,
    itinerary.STEPS_UNDONE,
    itinerary.PIVOT_OUTCOME,
    itinerary.STEP_WAITS,
    itinerary.LOCK_GRANTED,
]


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_sent_and_not_run_inline_by_the_failing_worker(name):
    assert isinstance(current_app.tasks[name].__header__, partial)  # what Celery looks at: the task is bound


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_acked_late_must_be_routed_and_shows_nothing_of_what_it_carries(name):
    task = current_app.tasks[name]

    assert isinstance(task, SagaTask)
    assert (task.acks_late, task.reject_on_worker_lost, task.mandatory) == (True, True, True)
    assert task.resultrepr_maxsize == 1


def test_a_wait_longer_than_any_time_is_malformed_like_every_other_report_that_cannot_be_read():
    facts = {"saga_id": str(UUID(int=7)), "token": 1, "step": "reserve_stock", "operation": "action"}
    with pytest.raises(Malformed):
        reports.read(itinerary.STEP_FAILED, ["task-id"], facts | {"error": {"wait_s": 1e300}})


def test_a_wait_brings_its_lock_and_the_steps_that_its_chain_passed():
    context = {"known": {"box": "12"}, "trail": [["weigh_parcel", "2026-05-01T12:00:00+00:00"]]}
    facts = {"token": 3, "step": "take_key", "resource": "box:12", "holder": str(UUID(int=7)), "before": 2}

    report = reports.read(
        itinerary.STEP_WAITS, [context], facts | {"saga_id": str(SAGA), "since": "2026-05-01T12:00:01+00:00"}
    )

    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    expected = StepWaits(
        "take_key", 3, "box:12", UUID(int=7), 2, noon.replace(second=1), done=(("weigh_parcel", noon),)
    )
    assert (report.saga_id, report.event, report.known) == (SAGA, expected, {"box": "12"})


def test_a_granted_lock_brings_nothing_but_the_step():
    report = reports.read(itinerary.LOCK_GRANTED, [], {"saga_id": str(SAGA), "step": "take_key"})

    assert (report.saga_id, report.event, report.known) == (SAGA, LockGranted("take_key"), {})


@pytest.mark.parametrize(
    ("name", "text"), [("holder", "nobody"), ("since", "yesterday"), ("since", "2026-05-01T12:00")]
)
def test_a_wait_that_cannot_be_read_is_malformed(name: str, text: str):
    facts = {"saga_id": str(SAGA), "token": 3, "step": "take_key", "resource": "box:12", "before": 2}
    facts |= {"holder": str(UUID(int=7)), "since": "2026-05-01T12:00:01+00:00"} | {name: text}
    with pytest.raises(Malformed):
        reports.read(itinerary.STEP_WAITS, [{"known": {}, "trail": []}], facts)
