"""How fast sagas come and go, as the tables say."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connections

from orchestration.models import ALIAS, SagaInstance, SagaLogEntry
from orchestration.operators.insight import stats as module
from orchestration.operators.insight.sources import Unavailable
from orchestration.operators.insight.stats import Durations, Stats, stats
from orchestration.protocol.events import ChainCompleted, Due
from tests.integration.admin.situations import STEPS, Situations
from tests.integration.operators.insight.generated import generate_sagas
from tests.support.tables import missing_table

pytestmark = pytest.mark.django_db(databases=[ALIAS])

NOW = datetime.now(UTC)


def read() -> Stats:
    found = stats(now=NOW)
    assert isinstance(found, Stats)
    return found


def take(saga_id: UUID, *seconds: float) -> None:
    """Have the saga's steps have taken so long, one after the other, and ended with the last."""
    at = NOW - timedelta(minutes=2)
    SagaInstance.objects.filter(pk=saga_id).update(created_at=at)
    SagaLogEntry.objects.filter(saga_id=saga_id, kind="started").update(at=at)
    for step, took in zip(STEPS, seconds, strict=True):
        at += timedelta(seconds=took)
        SagaLogEntry.objects.filter(saga_id=saga_id, step=step, kind="done").update(at=at)
    SagaLogEntry.objects.filter(saga_id=saga_id, kind="completed").update(at=at)
    SagaInstance.objects.filter(pk=saga_id).update(ended_at=at)


def percentiles(durations: Durations) -> tuple[float | None, ...]:
    return durations.p50, durations.p95, durations.p99


def test_rates_and_success_over_the_window(situations: Situations) -> None:
    take(situations.completed(), 1, 2, 3, 4, 5)
    situations.compensated()
    situations.running()
    SagaInstance.objects.filter(ended_at__gt=NOW).update(ended_at=NOW)
    SagaInstance.objects.filter(pk=situations.completed()).update(
        created_at=NOW - timedelta(hours=2), ended_at=NOW - timedelta(hours=1)
    )

    found = read()
    assert (found.in_flight.number, found.success) == (1, 0.5)
    assert found.started_per_minute == pytest.approx(3 / 15)
    assert found.ended_per_minute == pytest.approx(2 / 15)


def test_how_long_sagas_and_steps_take(situations: Situations) -> None:
    for payment in (2, 4, 6):
        take(situations.completed(), 1, payment, 1, 1, 1)

    found = read()
    by_step = {each.step: each for each in found.steps}
    assert percentiles(found.end_to_end) == pytest.approx((8.0, 9.8, 9.96))
    assert percentiles(by_step["authorise_payment"].durations) == pytest.approx((4.0, 5.8, 5.96))
    assert found.end_to_end.count == by_step["authorise_payment"].durations.count == 3
    assert by_step["reserve_stock"].durations.p50 == 1.0
    assert found.steps[0].step == "authorise_payment"
    assert found.steps[0].share == pytest.approx(12 / 24)


def test_waiting_counts_for_the_step_that_failed(situations: Situations) -> None:
    saga_id = situations.failing()
    situations.report(saga_id, Due())
    situations.report(saga_id, ChainCompleted(tuple((step, datetime.now(UTC)) for step in STEPS)))
    first = SagaLogEntry.objects.get(saga_id=saga_id, kind="failed")
    SagaLogEntry.objects.filter(saga_id=saga_id, sequence__gt=first.sequence).update(at=first.at + timedelta(hours=1))
    SagaInstance.objects.filter(pk=saga_id).update(ended_at=NOW)

    [longest] = [each for each in read().steps if each.step == "authorise_payment"]
    assert longest.share > 0.99
    assert longest.durations.p50 == 0.0


def test_without_sagas_there_is_nothing_to_say() -> None:
    found = read()
    assert found.steps == ()
    assert found.success is None
    assert found.end_to_end == Durations(0, None, None, None)


def test_no_figure_reads_the_whole_table() -> None:
    generate_sagas(20_000)
    since = NOW - timedelta(minutes=15)
    for statement in (module._RATES, module._END_TO_END, module._STEPS):
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("EXPLAIN " + statement, [since] * statement.count("%s"))
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Seq Scan on orchestration_sagainstance" not in plan


@pytest.mark.django_db(transaction=True, databases=[ALIAS])
def test_a_database_that_is_down_is_named() -> None:
    with missing_table(ALIAS, "orchestration_sagainstance"):
        found = stats(now=NOW)
    assert isinstance(found, Unavailable)
    assert found.why.startswith("the database of orchestration does not answer: ")
