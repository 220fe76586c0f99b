"""Reports to the orchestrator are messages of their own."""

from functools import partial

import pytest
from celery import current_app

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
