"""Reports to the orchestrator are messages of their own."""

from functools import partial
from uuid import UUID

import pytest
from celery import current_app

from orchestration.contracts.codec import Malformed
from orchestration.engine import reports
from orchestration.messaging.task import SagaTask
from orchestration.protocol import itinerary

REPORTS = [
    itinerary.CHAIN_COMPLETED,
    itinerary.STEP_REFUSED,
    itinerary.STEP_FAILED,
    itinerary.STEPS_UNDONE,
    itinerary.PIVOT_OUTCOME,
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
