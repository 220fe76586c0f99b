"""The list of sagas in the admin."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from config import env
from orchestration.admin import list_view
from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.insight.search import known_by
from orchestration.operators.insight.status import SagaStatus, status_of, step_of
from tests.integration.admin.conftest import SAGAS, Operator
from tests.integration.admin.situations import STEPS, Situations
from tests.support.markup import said
from tests.support.plans import by_indexes

pytestmark = pytest.mark.django_db(databases=[ALIAS])  # the list reads no service's database: it could not here
searches = pytest.mark.django_db(databases=list(env.ALIASES))
"""For tests of the search and of incidents, which ask the services."""


def row_of(operator: Operator, saga_id: UUID) -> str:
    """The text of a saga's line in the list, without markup."""
    page = operator.client.get(SAGAS).content.decode()
    (row,) = (row for row in re.findall(r"<tr\b.*?</tr>", page, re.DOTALL) if str(saga_id) in row)
    return said(row)


def test_a_failing_saga_shows_step_next_try_and_last_error(operator: Operator, situations: Situations) -> None:
    saga_id = situations.failing("authorise_payment", tries=3)
    row = row_of(operator, saga_id)
    assert re.match(rf"{saga_id} \S+ retrying authorise_payment attempt 4, next (in \d+ s|now) GatewayTimeout ", row)


def test_a_parked_saga_says_so(operator: Operator, situations: Situations) -> None:
    saga_id = situations.parked_after_pivot()
    assert re.match(rf"{saga_id} \S+ parked capture_payment GatewayTimeout ", row_of(operator, saga_id))


def test_a_saga_without_a_failed_try_says_why_it_gave_up(operator: Operator, situations: Situations) -> None:
    assert "cannot_deliver" in row_of(operator, situations.compensating())


def test_age_counts_from_the_start(operator: Operator, situations: Situations) -> None:
    assert "3 h 7 min" in row_of(operator, situations.running(age=timedelta(hours=3, minutes=7)))


def test_the_newest_saga_comes_first(operator: Operator, situations: Situations) -> None:
    old, new = situations.running(age=timedelta(hours=1)), situations.running()
    assert operator.listed() == [new, old]


@pytest.mark.parametrize("step", STEPS)
def test_the_step_filter_finds_what_the_list_shows_at_that_step(
    step: str, operator: Operator, situations: Situations
) -> None:
    situations.every()
    at_step = {saga.pk for saga in SagaInstance.objects.all() if step_of(saga) == step}
    assert at_step
    assert set(operator.listed(step=step)) == at_step


@pytest.mark.parametrize(
    "status", ["running", "retrying", "compensating", "giving_up", "parked", "paused", "completed"]
)
def test_the_status_filter_finds_the_sagas_of_that_status(
    status: str, operator: Operator, situations: Situations
) -> None:
    situations.every()
    expected = {saga.pk for saga in SagaInstance.objects.all() if status_of(saga) is SagaStatus(status)}
    assert expected
    assert set(operator.listed(status=status)) == expected


def test_several_filters_are_met_together(operator: Operator, situations: Situations) -> None:
    saga_id = situations.failing("authorise_payment", tries=3)
    situations.failing("authorise_payment"), situations.failing("schedule_shipment", tries=3)
    SagaInstance.objects.update(changed_at=datetime.now(UTC) - timedelta(hours=1))
    SagaInstance.objects.update(created_at=datetime.now(UTC) - timedelta(hours=2))
    query = {"step": "authorise_payment", "error": "GatewayTimeout", "attempts": "3", "stuck": "30"}
    assert operator.listed(**query) == [saga_id]
    assert operator.listed(**query | {"stuck": "90"}) == []


def test_presets_lead_to_what_they_count(operator: Operator, situations: Situations) -> None:
    situations.every()
    tabs = operator.client.get(SAGAS).context["tabs"]
    found = {tab.name: len(operator.client.get(SAGAS, tab.query).context["rows"]) for tab in tabs}
    assert found == {tab.name: tab.count.number for tab in tabs}
    assert {name for name, count in found.items() if count} == {"parked", "retrying", "compensating", "today"}


def test_each_page_begins_where_the_last_ended(
    operator: Operator, situations: Situations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_view, "PAGE_SIZE", 2)
    sagas = [situations.running() for _ in range(5)]
    seen: list[UUID] = []
    query: dict[str, Any] | None = {}
    while query is not None:
        context = operator.client.get(SAGAS, query).context
        seen += [row.pk for row in context["rows"]]
        query = context["next"]
    assert seen == sagas[::-1]


def test_the_definition_filter_knows_the_definitions_of_the_code(operator: Operator, situations: Situations) -> None:
    saga_id = situations.running()
    assert operator.listed(definition="checkout.v2") == [saga_id]


@pytest.mark.parametrize("query", [{"step": "no_such"}, {"status": "no_such"}, {"definition": "no_such\0"}])
def test_a_filter_that_is_none_of_the_choices_finds_nothing(
    query: dict[str, str], operator: Operator, situations: Situations
) -> None:
    situations.running()
    assert operator.listed(**query) == []


@searches
@pytest.mark.parametrize("column", ["id", "order_id", "idempotency_key", "customer_id"])
def test_search_finds_a_saga_by(column: str, operator: Operator, situations: Situations) -> None:
    saga_id, other = situations.running(), situations.running()
    SagaInstance.objects.filter(pk=other).update(customer_id="customer-2", idempotency_key=uuid4())
    asked = getattr(situations.shop.saga(saga_id), column)
    assert operator.listed(q=f" {asked} ") == [saga_id]


@searches
@pytest.mark.parametrize("part", ["customer", "CUSTOMER-1", "1"])
def test_search_for_a_part_of_a_name_finds_nothing(part: str, operator: Operator, situations: Situations) -> None:
    situations.running()
    assert operator.listed(q=part) == []


def test_search_is_answered_from_four_indexes(db: None) -> None:
    with by_indexes(ALIAS):
        plan = SagaInstance.objects.filter(known_by(str(uuid4()))).explain()
    indexes = set(re.findall(r"Bitmap Index Scan on (\w+)", plan))
    assert indexes == {
        "orchestration_sagainstance_pkey",
        "saga_by_order",
        "saga_by_idempotency_key",
        "saga_one_per_customer_and_idempotency_key",
    }


def test_the_list_asks_its_thirteen_questions_however_long_it_is(operator: Operator, situations: Situations) -> None:
    situations.every()
    with CaptureQueriesContext(connections[ALIAS]) as asked:
        operator.listed()
    assert len(asked) <= 13  # session, user, two of permissions, five counts of presets, the count, the rows
    assert not [
        query for query in asked.captured_queries if re.match(r"SELECT COUNT\(\*\) AS \S+ FROM \"orch", query["sql"])
    ]


@searches
def test_an_incident_leads_to_the_sagas_it_counts(operator: Operator, situations: Situations) -> None:
    situations.every()
    situations.failing("schedule_shipment")
    lines = operator.client.get("/admin/operations/incidents/").context["lines"]
    assert lines[0]["incident"].count == 2
    for line in lines:
        assert len(operator.client.get(SAGAS, line["query"]).context["rows"]) == line["incident"].count
