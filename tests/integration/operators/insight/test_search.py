"""Sagas are found by what somebody has at hand, in the services' books, too."""

import re
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connections

from config import env
from orchestration.models import SagaInstance
from orchestration.operators.insight.search import search, searched_by
from payments.models import Payment
from shipping.models import Shipment
from tests.integration.admin.situations import Situations
from tests.integration.operators.insight.generated import generate_sagas
from tests.support.tables import missing_table

pytestmark = pytest.mark.django_db(databases=list(env.ALIASES))

NOBODY = "01900000-0000-7000-8000-000000000000"


def found(text: object) -> list[object]:
    return [saga.pk for saga in search(str(text)).sagas]


@pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))
def test_every_reference_that_somebody_may_have_finds_the_saga(situations: Situations) -> None:
    other, saga_id = situations.running(), situations.running()
    situations.act(saga_id, "reserve_stock", "authorise_payment", "schedule_shipment", "place_order", "capture_payment")
    SagaInstance.objects.filter(pk=other).update(customer_id="customer-2")
    row, payment = situations.shop.saga(saga_id), Payment.objects.get()
    for known in (saga_id, row.order_id, row.idempotency_key, "customer-1"):
        assert found(known) == [saga_id]
    for known in (payment.authorisation_id, payment.capture_id, Shipment.objects.get().tracking_number):
        assert found(f" {known} ") == [saga_id]
    refund = {"amount_minor": 1, "destination": "card", "status": "succeeded", "gateway_id": "re_7"}
    payment.refunds.create(saga_id=other, step="give_back", **refund)
    assert found("re_7") == [saga_id, other]


def test_an_address_finds_every_saga_of_its_customer(situations: Situations) -> None:
    customer = User.objects.create_user("ann", email="Ann@example.com")
    mine = [situations.running(), situations.running()]
    SagaInstance.objects.filter(pk__in=mine).update(customer_id=str(customer.pk))
    situations.running()

    assert found("ann@EXAMPLE.com") == mine[::-1]


@pytest.mark.parametrize("text", ["", "  ", "customer", "\0", "@", "nobody@example.com", NOBODY])
def test_what_nobody_knows_finds_nothing(text: str, situations: Situations) -> None:
    situations.running()
    assert found(text) == []


@pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))
def test_a_service_that_is_down_hides_only_what_it_knows(situations: Situations) -> None:
    saga_id = situations.running()
    with missing_table("payments", "payments_payment"):
        searched = search(str(saga_id))

    assert [saga.pk for saga in searched.sagas] == [saga_id]
    [why] = searched.unread
    assert why.startswith("the database of payments does not answer: ")


def test_everything_that_can_be_typed_is_named() -> None:
    assert searched_by() == [
        *("saga id", "order id", "customer", "idempotency key"),
        *("customer's e-mail", "gateway reference", "tracking number"),
    ]


def test_no_search_reads_a_whole_table() -> None:
    generate_sagas(20_000)
    asked = search(str(uuid4()))
    assert "Seq Scan" not in asked.sagas[:51].explain()
    for alias, table, columns in (
        ("payments", "payments_payment", ("authorisation_id", "capture_id")),
        ("payments", "payments_refund", ("gateway_id",)),
        ("shipping", "shipping_shipment", ("tracking_number",)),
        ("shipping", "shipping_dispatch", ("tracking_number",)),
        ("orchestration", "auth_user", ("upper((email)::text)",)),
    ):
        assert set(columns) <= set(_indexed(alias, table)), table


def _indexed(alias: str, table: str) -> list[str]:
    """What each index of the table begins with."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = %s", [table])
        definitions = [definition for (definition,) in cursor.fetchall()]
    return [re.search(r"btree \((.*?)\)( WHERE.*)?$", definition)[1].split(",")[0] for definition in definitions]  # type: ignore[index]
