"""Tables that grow with every order: a page, a filter and a search of them read a part that does not grow."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import connections, router
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config import env
from inventory.models import Ledger
from orchestration.models import OperatorLogEntry
from orchestration.participant import admin as kit
from orchestration.participant.admin import LongTable
from tests.integration.admin.situations import Situations
from tests.support.plans import by_indexes

pytestmark = pytest.mark.django_db(databases=list(env.ALIASES))

LONG = [each for each in admin.site._registry.values() if isinstance(each, LongTable)]
GROW = {"order", "orderchange", "returnrequest", "reservation", "movement", "payment", "shipment", "ledger"}


def address(table: LongTable) -> str:
    return f"/admin/{table.model._meta.app_label}/{table.model._meta.model_name}/"


def asked(client: Client, table: LongTable, query: dict[str, str]) -> list[str]:
    """The statements on the table that the page asks."""
    name = table.model._meta.db_table
    with CaptureQueriesContext(connections[router.db_for_read(table.model)]) as seen:
        assert client.get(address(table), query).status_code == 200
    return [each["sql"] for each in seen if f'FROM "{name}"' in each["sql"]]


def test_every_table_of_a_service_that_grows_is_long() -> None:
    services = {model: table for model, table in admin.site._registry.items() if model._meta.app_label in env.ALIASES}
    short = {model._meta.model_name for model, table in services.items() if not isinstance(table, LongTable)}
    assert short & GROW == set()
    assert {table.model._meta.model_name for table in LONG} >= GROW


@pytest.mark.parametrize("table", LONG, ids=lambda table: table.model._meta.label)
def test_a_page_counts_no_further_than_it_lists_and_asks_for_no_values(table: LongTable, admin_client: Client) -> None:
    statements = asked(admin_client, table, {})
    counts = [each for each in statements if "COUNT(" in each]
    assert len(counts) == 1
    assert "LIMIT 10000" in counts[0]
    assert not any("DISTINCT" in each for each in statements)


@pytest.mark.parametrize("table", LONG, ids=lambda table: table.model._meta.label)
def test_pages_and_searches_go_by_an_index(table: LongTable, admin_client: Client) -> None:
    pages, found = asked(admin_client, table, {}), asked(admin_client, table, {"q": str(uuid4())})
    alias = router.db_for_read(table.model)
    with by_indexes(alias) as cursor:
        for statement in (pages[-1], *found):
            cursor.execute(f"EXPLAIN {statement}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert f"Seq Scan on {table.model._meta.db_table}" not in plan, plan
            assert statement in found or "Sort" not in plan, plan


@pytest.mark.parametrize("table", LONG, ids=lambda table: table.model._meta.label)
def test_no_address_asks_for_another_order(table: LongTable, admin_client: Client) -> None:
    for order in ("1", "2.-1"):
        answer = admin_client.get(address(table), {"o": order})
        assert answer.context["cl"].queryset.query.order_by[0] == table.ordering[0]


@pytest.mark.parametrize("table", LONG, ids=lambda table: table.model._meta.label)
def test_a_column_is_asked_after_only_by_the_filters_that_are_offered(table: LongTable, admin_client: Client) -> None:
    offered = [f"{each}__exact" for each in table.list_filter if isinstance(each, str)]
    assert [admin_client.get(address(table), {name: "done"}).status_code for name in offered] == [200] * len(offered)
    for name in ("saga_id__contains", "id__gt", f"{table.model._meta.fields[1].name}__regex"):
        assert admin_client.get(address(table), {name: "1"}).status_code == 400


def test_what_a_ledger_hides_is_not_reported_by_whether_a_row_is_found(admin_client: Client) -> None:
    for asked in ("request__payment_method__startswith", "request__icontains", "request__has_key"):
        assert admin_client.get("/admin/payments/ledger/", {asked: "x"}).status_code == 400


@pytest.mark.parametrize("table", LONG, ids=lambda table: table.model._meta.label)
def test_a_word_that_no_column_holds_is_no_filter(table: LongTable, admin_client: Client) -> None:
    for name in ("status", "status__exact", "step", "code__exact"):
        answer = admin_client.get(address(table), {name: "\0"})
        assert (answer.status_code, answer["Location"]) == (302, f"{address(table)}?e=1")


def test_a_list_ends_and_says_where(admin_client: Client, situations: Situations, monkeypatch: Any) -> None:
    monkeypatch.setattr(kit, "LISTED", 2)
    for _ in range(3):
        Ledger.objects.create(saga_id=uuid4(), step="reserve_stock", status="done", history=["done"], token=1)
    answer = admin_client.get("/admin/inventory/ledger/")
    assert answer.context["cl"].result_count == 2
    assert "Lists end after 10,000 rows" in answer.content.decode()


def test_a_ledger_is_filtered_by_the_steps_of_its_service(admin_client: Client) -> None:
    for step in ("reserve_stock", "of_yesterday"):
        Ledger.objects.create(saga_id=uuid4(), step=step, status="done", history=["done"], token=1)
    page = admin_client.get("/admin/inventory/ledger/", {"step": "reserve_stock"})
    assert [row.step for row in page.context["cl"].result_list] == ["reserve_stock"]
    assert "of_yesterday" not in {step for step, _ in page.context["cl"].filter_specs[0].lookup_choices}


def test_the_operator_log_is_one(admin_client: Client) -> None:
    assert isinstance(admin.site._registry[OperatorLogEntry], LongTable)
