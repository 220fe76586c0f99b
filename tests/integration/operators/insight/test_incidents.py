"""Failing sagas by what they have in common."""

from datetime import UTC, datetime

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from orchestration.models import ALIAS
from orchestration.operators.insight.incidents import _GROUPED, incidents
from orchestration.operators.insight.saga_filter import matching
from tests.integration.admin.situations import Situations
from tests.integration.operators.insight.generated import generate_sagas

pytestmark = pytest.mark.django_db(databases=[ALIAS])


def test_one_incident_for_each_step_and_error(situations: Situations) -> None:
    first, second = situations.failing(), situations.failing(tries=2)
    parked = situations.parked_after_pivot()
    for _ in (situations.running(), situations.completed(), situations.compensated(), situations.paused()):
        pass

    retried, captured = incidents()
    assert (retried.definition, retried.step, retried.error) == (
        *("checkout.v2", "authorise_payment", "GatewayTimeout"),
    )
    assert (retried.count, retried.retrying, retried.parked, retried.waiting) == (2, 2, 0, 0)
    assert retried.ids == (second, first)
    assert retried.at_stake_minor == {"GBP": 200}
    assert retried.oldest_at == situations.shop.saga(first).created_at
    assert retried.newest_at == situations.shop.saga(second).created_at
    assert (captured.step, captured.parked, captured.ids) == ("capture_payment", 1, (parked,))


def test_an_incident_is_a_filter_for_just_its_sagas(situations: Situations) -> None:
    situations.every()
    now = datetime.now(UTC)
    for incident in incidents():
        found = {saga.pk for saga in matching(incident.wanted, now=now)}
        assert len(found) == incident.count
        assert set(incident.ids) <= found


def test_incidents_are_one_query_that_reads_failing_sagas_only() -> None:
    generate_sagas(20_000)
    with CaptureQueriesContext(connections[ALIAS]) as asked:
        found = incidents()
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("EXPLAIN " + _GROUPED)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert len(asked) <= 1
    assert sum(incident.count for incident in found) == 300
    assert "Seq Scan" not in plan
