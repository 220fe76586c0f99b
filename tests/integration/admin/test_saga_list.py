"""The list of sagas in the admin."""

import re
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from orchestration.finding import known_by
from orchestration.models import ALIAS, SagaInstance
from orchestration.standing import STATUSES, standing_of
from orchestration.states import ENDED
from orchestration.wording import NOTHING
from tests.integration.admin.conftest import SAGAS, Operator
from tests.integration.admin.situations import STEPS, Situations

pytestmark = pytest.mark.django_db(databases=[ALIAS])  # the list reads no service's database: it could not here


def row_of(operator: Operator, saga_id: UUID) -> str:
    """The text of a saga's line in the list, without markup."""
    page = operator.client.get(SAGAS).content.decode()
    (row,) = (row for row in re.findall(r"<tr\b.*?</tr>", page, re.DOTALL) if str(saga_id) in row)
    return " ".join(re.sub(r"<[^>]*>", " ", row).split())


def test_a_failing_saga_shows_step_tries_and_last_error(operator: Operator, situations: Situations) -> None:
    saga_id = situations.failing("authorise_payment", tries=3)
    assert row_of(operator, saga_id).startswith(f"{saga_id} running {NOTHING} authorise_payment 3 GatewayTimeout ")


def test_a_parked_saga_says_so(operator: Operator, situations: Situations) -> None:
    saga_id = situations.parked_after_pivot()
    assert row_of(operator, saga_id).startswith(f"{saga_id} finishing parked capture_payment 1 GatewayTimeout ")


def test_a_parked_step_is_not_under_way_while_others_are(operator: Operator, situations: Situations) -> None:
    saga_id = situations.parked_compensation()
    assert situations.shop.saga(saga_id).in_flight
    assert row_of(operator, saga_id).startswith(f"{saga_id} compensating parked authorise_payment 1 ")


def test_a_saga_without_a_failed_try_says_why_it_gave_up(operator: Operator, situations: Situations) -> None:
    assert "cannot_deliver" in row_of(operator, situations.compensated())


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
    at_step = {saga.pk for saga in SagaInstance.objects.all() if standing_of(saga).step == step}
    assert at_step
    assert set(operator.listed(step=step)) == at_step


@pytest.mark.parametrize("status", STATUSES)
def test_the_status_filter_finds_the_sagas_of_that_status(
    status: str, operator: Operator, situations: Situations
) -> None:
    situations.every()
    belongs = {
        "unfinished": lambda saga: saga.phase not in ENDED,
        "parked": lambda saga: saga.parked,
        "paused": lambda saga: saga.paused,
    }.get(status, lambda saga: saga.phase == status)
    expected = {saga.pk for saga in SagaInstance.objects.all() if belongs(saga)}
    assert expected
    assert set(operator.listed(status=status)) == expected


def test_the_definition_filter_knows_the_definitions_of_the_code(operator: Operator, situations: Situations) -> None:
    saga_id = situations.running()
    assert operator.listed(definition="checkout.v1") == [saga_id]


@pytest.mark.parametrize("query", [{"step": "no_such"}, {"status": "no_such"}, {"definition": "no_such\0"}])
def test_a_filter_that_is_none_of_the_choices_finds_nothing(
    query: dict[str, str], operator: Operator, situations: Situations
) -> None:
    situations.running()
    assert operator.listed(**query) == []


@pytest.mark.parametrize("column", ["id", "order_id", "idempotency_key", "customer_id"])
def test_search_finds_a_saga_by(column: str, operator: Operator, situations: Situations) -> None:
    saga_id, other = situations.running(), situations.running()
    SagaInstance.objects.filter(pk=other).update(customer_id="customer-2", idempotency_key=uuid4())
    asked = getattr(situations.shop.saga(saga_id), column)
    assert operator.listed(q=f" {asked} ") == [saga_id]


@pytest.mark.parametrize("part", ["customer", "CUSTOMER-1", "1"])
def test_search_for_a_part_of_a_name_finds_nothing(part: str, operator: Operator, situations: Situations) -> None:
    situations.running()
    assert operator.listed(q=part) == []


def test_search_is_answered_from_four_indexes(db: None) -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = SagaInstance.objects.filter(known_by(str(uuid4()))).explain()
    indexes = set(re.findall(r"Bitmap Index Scan on (\w+)", plan))
    assert indexes == {
        "orchestration_sagainstance_pkey",
        "saga_by_order",
        "saga_by_idempotency_key",
        "saga_one_per_customer_and_idempotency_key",
    }


def test_a_longer_list_asks_no_more_than_a_short_one(operator: Operator, situations: Situations) -> None:
    situations.failing()
    with CaptureQueriesContext(connections[ALIAS]) as for_one:
        operator.listed()
    situations.every()
    with CaptureQueriesContext(connections[ALIAS]) as for_many:
        operator.listed()
    assert len(for_many) == len(for_one)
