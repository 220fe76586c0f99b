"""A backlog while every worker is down: nothing of it is sent again, and compensations overtake it."""

from datetime import timedelta

import pytest

from tests.storm.run import OVERTAKEN, Plan, run

pytestmark = pytest.mark.usefixtures("audited")


def test_a_backlog_is_executed_once_and_compensations_overtake_it(shop, start_worker, settings):
    """`make storm` does the same with ten thousand orders."""
    plan = Plan(sagas=300, down=4 * settings.PRESUMED_LOST_AFTER, patience=timedelta(seconds=100))

    found = run(plan, lambda environment: start_worker(app="tests.support.counting", env=environment))

    assert found.accepted == 300
    assert found.ends == {"completed": 288, "compensated": 12}
    assert found.executions_per_step <= 1.1
    assert found.went_before <= OVERTAKEN
