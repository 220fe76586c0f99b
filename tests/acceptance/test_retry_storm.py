"""A backlog that waits in queues, or inside workers: nothing of it is sent again, and compensations overtake it."""

from datetime import timedelta

import pytest

from orchestration.models import SagaLogEntry
from tests.storm.run import OVERTAKEN, Plan, run

pytestmark = pytest.mark.usefixtures("audited")


def test_a_backlog_is_executed_once_and_compensations_overtake_it(shop, start_worker, settings):
    """`make storm` does the same with ten thousand orders."""
    plan = Plan(sagas=300, down=4 * settings.PRESUMED_LOST_AFTER, patience=timedelta(seconds=100))

    found = run(plan, lambda environment: start_worker(app="tests.support.message_counter", env=environment))

    assert found.accepted == 300
    assert found.ends == {"completed": 288, "compensated": 12}
    assert found.executions_per_step <= 1.1
    assert found.went_before <= OVERTAKEN


def test_what_waits_inside_workers_for_a_slow_gateway_is_not_taken_for_lost(shop, start_worker, settings):
    """An order waits for its calls several times as long as a message may before it is presumed lost."""
    plan = Plan(sagas=50, down=timedelta(0), patience=timedelta(seconds=60), calls_take=0.5, workers=2)

    found = run(plan, lambda environment: start_worker(app="tests.support.message_counter", threads=8, env=environment))

    assert found.ends == {"completed": 48, "compensated": 2}
    assert max(waited_inside()) > 3 * settings.PRESUMED_LOST_AFTER
    assert found.sent <= 1.05 + 2 / 50, "two are sent twice: to be done, and to be undone"
    assert found.executions_per_step <= 1.05


def waited_inside() -> list[timedelta]:
    """How long each order was in workers once its first step was done there."""
    reserved = SagaLogEntry.objects.filter(kind="done", step="reserve_stock").select_related("saga")
    return [entry.saga.ended_at - entry.at for entry in reserved if entry.saga.ended_at]
