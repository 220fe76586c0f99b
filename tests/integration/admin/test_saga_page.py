"""The page of one saga in the admin."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_celery_results.models import TaskResult

from config import env
from orchestration import sagas
from orchestration.engine import store
from orchestration.models import SagaInstance
from orchestration.participant.ledger import Status
from orchestration.protocol.events import PivotBarred, StepRefused, StepsUndone
from orchestration.sagas.refund_order import refund_order
from payments.models import Ledger
from tests.integration.admin.conftest import SAGAS, Operator
from tests.integration.admin.situations import COMPENSABLE, SECRET, STEPS, TASK_ID, Situations
from tests.support.deadlock import give_up
from tests.support.lock_waits import ORDER_ID, RESOURCE, let_wait, start_refund
from tests.support.markup import said
from tests.support.shop import NOT_NEEDED

pytestmark = pytest.mark.django_db(databases=list(env.ALIASES))
committed = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))
"""For tests in which services act: they own their transactions."""


def table_of(response: Any, title: str) -> list[list[str]]:
    """The lines of one of the page's tables, as the texts of their cells."""
    page = response.content.decode()
    (table,) = re.findall(rf"<h2>{title}</h2>.*?</table>", page, re.DOTALL)
    body = table[table.index("<tbody>") :]
    return [
        [said(cell) for cell in re.findall(CELL, row, re.DOTALL)]
        for row in re.findall(r"<tr>.*?</tr>", body, re.DOTALL)
    ]


CELL = r"<t[hd].*?>.*?</t[hd]>"
MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"


@committed
def test_steps_show_how_far_each_has_come(operator: Operator, situations: Situations) -> None:
    saga_id = situations.parked_after_pivot()
    situations.act(saga_id, *STEPS[:-1])
    steps = table_of(operator.page(saga_id), "Steps")
    shown = [(name, status, attempts) for name, _, status, _, _, attempts, *_ in steps]
    assert {each for each in shown if each[1] == "skipped"} == {(name, "skipped", "0") for name in NOT_NEEDED}
    assert [each for each in shown if each[1] != "skipped"] == [
        *((step, "done", "1") for step in STEPS[:-1]),
        ("capture_payment", "parked", "1"),
    ]
    assert re.fullmatch(MOMENT, next(step[3] for step in steps if step[0] == "reserve_stock"))
    assert steps[-1][-1].startswith("GatewayTimeout: no answer within 1 s")


def test_what_was_refused_after_the_pivot_was_tried_once(operator: Operator, situations: Situations) -> None:
    saga_id, refusal = situations.running(), {"code": "card_declined", "detail": "No."}
    row = {"step": "capture_payment", "status": "refused", "history": ["started", "refused"], "token": 1}
    Ledger.objects.create(saga_id=saga_id, refusal=refusal, **row)
    done = tuple((step, datetime.now(UTC)) for step in STEPS[:-1])
    situations.report(saga_id, StepRefused("capture_payment", refusal, done))
    steps = operator.page(saga_id).context["steps"]
    assert [(step.status, step.attempts) for step in steps if step.name == "capture_payment"] == [("parked", 1)]


@committed
def test_ledger_rows_of_every_service_are_shown(operator: Operator, situations: Situations) -> None:
    saga_id = situations.running()
    situations.act(saga_id, *STEPS[:2])
    rows = table_of(operator.page(saga_id), "Ledgers")
    assert [row[:4] for row in rows[:2]] == [
        ["inventory", "reserve_stock", "done", "done"],
        ["payments", "authorise_payment", "done", "started → done"],
    ]
    assert rows[2:] == [["shipping", "no rows"], ["orders", "no rows"]]


def test_the_log_is_shown_in_order(operator: Operator, situations: Situations) -> None:
    saga_id = situations.compensating("schedule_shipment")
    log = table_of(operator.page(saga_id), "Log")
    assert [(line[0], line[2], line[3]) for line in log] == [
        ("1", "started", ""),
        ("2", "done", "reserve_stock"),
        ("3", "done", "authorise_payment"),
        ("4", "refused", "schedule_shipment"),
        ("5", "sent", ""),
    ]
    assert log[3][-1] == "code cannot_deliver detail Not there."


@committed
def test_secrets_are_not_on_the_page_not_even_encrypted(operator: Operator, situations: Situations) -> None:
    saga_id = situations.running()
    situations.act(saga_id, *STEPS)
    page = operator.page(saga_id).content.decode()
    assert page.count("&quot;payment_method&quot;: &quot;(hidden)&quot;") == 7  # request, three calls outside twice
    assert SECRET not in page
    assert situations.shop.saga(saga_id).request["payment_method"] not in page


def test_a_failed_task_links_to_its_result(operator: Operator, situations: Situations) -> None:
    saga_id = situations.failing()
    result = TaskResult.objects.create(task_id=TASK_ID, status="FAILURE")
    url = reverse("admin:django_celery_results_taskresult_change", args=[result.pk])
    assert f'<a href="{url}">{TASK_ID}</a>' in operator.page(saga_id).content.decode()
    assert operator.client.get(url).status_code == 200


def test_a_task_without_a_result_is_named_only(operator: Operator, situations: Situations) -> None:
    page = operator.page(situations.failing()).content.decode()
    assert TASK_ID in page
    assert "taskresult/" not in page[page.index("<h2>Steps</h2>") :]


def test_who_may_not_see_task_results_gets_no_link(hire: Callable[..., Operator], situations: Situations) -> None:
    TaskResult.objects.create(task_id=TASK_ID, status="FAILURE")
    page = hire("view_sagainstance").page(situations.failing()).content.decode()
    assert TASK_ID in page
    assert "taskresult/" not in page


@pytest.fixture
def shipping_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Makes the database of shipping unreachable until the end of the test."""
    connection: Any = connections["shipping"]

    def leave() -> None:
        connection.close()
        connection.close_pool()
        monkeypatch.setitem(connection.settings_dict, "PORT", "1")
        monkeypatch.setitem(connection.settings_dict["OPTIONS"]["pool"], "timeout", 0.2)

    yield leave
    connection.close_pool()


@committed
def test_a_service_whose_database_is_away_is_unreadable_and_the_rest_is_shown(
    operator: Operator, situations: Situations, shipping_away: Callable[[], None]
) -> None:
    saga_id = situations.running()
    situations.act(saga_id, *STEPS[:3])
    shipping_away()
    response = operator.page(saga_id)
    statuses = [row[2] for row in table_of(response, "Steps") if row[2] != "skipped"]
    assert statuses == ["done", "done", "unreadable", "waiting", "waiting"]
    rows = table_of(response, "Ledgers")
    assert ["shipping", "unreadable: its database does not answer"] in rows
    assert rows[0][:3] == ["inventory", "reserve_stock", Status.DONE]


@committed
def test_a_saga_whose_definition_this_code_lacks_can_be_looked_at(operator: Operator, situations: Situations) -> None:
    saga_id = situations.running()
    situations.act(saga_id, *STEPS[:2])
    SagaInstance.objects.filter(pk=saga_id).update(definition="checkout.v9")
    response = operator.page(saga_id)
    page = response.content.decode()
    assert "no definition called checkout.v9" in page
    assert table_of(response, "Ledgers")[0][:3] == ["inventory", "reserve_stock", "done"]
    assert "payment_method" not in page
    assert operator.listed() == [saga_id]


def test_even_an_administrator_can_only_look(situations: Situations, admin_client: Client) -> None:
    saga_id = situations.running()
    before = SagaInstance.objects.values().get(pk=saga_id)
    change = admin_client.post(f"{SAGAS}{saga_id}/change/", {"phase": "completed"})
    delete = admin_client.post(f"{SAGAS}{saga_id}/delete/", {"post": "yes"})
    admin_client.post(SAGAS, {"action": "delete_selected", "_selected_action": str(saga_id), "post": "yes"})
    add = admin_client.get(f"{SAGAS}add/")
    assert [response.status_code for response in (change, delete, add)] == [403, 403, 403]
    assert admin_client.get(f"{SAGAS}{saga_id}/change/").status_code == 200
    assert SagaInstance.objects.values().get(pk=saga_id) == before


def test_staff_without_the_permission_sees_no_saga(hire: Callable[..., Operator], situations: Situations) -> None:
    nobody = hire()
    assert nobody.page(situations.running()).status_code == 403
    assert nobody.client.get(SAGAS).status_code == 403


def test_an_id_that_is_none_leads_back_to_the_start(operator: Operator) -> None:
    assert operator.page(uuid4()).url == "/admin/"
    assert operator.page("nonsense").url == "/admin/"


def test_nothing_is_loaded_from_elsewhere(operator: Operator, situations: Situations) -> None:
    saga_id = situations.completed()
    for response in (operator.page(saga_id), operator.client.get(SAGAS)):
        loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", response.content.decode())
        assert loaded
        assert [url for url in loaded if re.match(r"(https?:)?//", url)] == []


@committed
def test_a_saga_and_its_failed_tasks_lead_to_flower_where_that_is_known(
    operator: Operator, situations: Situations, settings: Any
) -> None:
    saga_id = situations.parked_after_pivot()
    assert "Flower" not in operator.page(saga_id).content.decode()
    settings.FLOWER_URL = "https://flower.example"
    page = operator.page(saga_id).content.decode()
    assert f'href="https://flower.example/saga/{saga_id}"' in page
    assert f'href="https://flower.example/task/{TASK_ID}"' in page


@committed
def test_the_page_says_why_how_the_money_stands_and_what_happened(operator: Operator, situations: Situations) -> None:
    saga_id = situations.parked_after_pivot()
    situations.act(saga_id, *STEPS[:-1])
    response = operator.page(saga_id)
    page = said(response.content.decode())
    assert "Operator action required." in page
    assert "Nothing happens until an operator acts." in page
    assert "Money 1.00 GBP authorised; out of pocket now: 0.00 GBP" in page
    timeline = operator.client.get(f"/admin/operations/sagas/{saga_id}/timeline.svg")
    assert timeline["Content-Type"] == "image/svg+xml"
    assert "capture_payment" in timeline.content.decode()
    assert operator.client.get(f"/admin/operations/sagas/{uuid4()}/timeline.svg").status_code == 404


@committed
def test_the_rows_of_services_are_for_those_who_may_see_them(
    hire: Callable[..., Operator], situations: Situations
) -> None:
    saga_id = situations.running()
    situations.act(saga_id, *STEPS)
    tables = hire("view_sagainstance", "view_payment").page(saga_id).context["tables"]
    assert [(table.service, table.title, len(table.lines)) for table in tables] == [("payments", "payments", 1)]


@committed
@pytest.mark.parametrize("tries", [1, 6])
def test_the_page_asks_each_database_no_more_for_a_longer_story(
    tries: int, admin_client: Client, situations: Situations
) -> None:
    saga_id = situations.failing("capture_payment", tries=tries)
    situations.act(saga_id, *STEPS[:-1])
    asked = {alias: CaptureQueriesContext(connections[alias]) for alias in env.ALIASES}
    with ExitStack() as opened:
        for each in asked.values():
            opened.enter_context(each)
        admin_client.get(f"{SAGAS}{saga_id}/change/")
    assert {alias: len(each) for alias, each in asked.items()} == {
        **{"orchestration": 7, "inventory": 3, "payments": 9, "shipping": 3, "orders": 5, "gateway": 0, "carrier": 0}
    }


@pytest.fixture
def _changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sagas.definitions, refund_order.name, refund_order)


@pytest.mark.usefixtures("_changes")
def test_a_saga_that_waits_for_a_lock_and_its_holder_link_to_each_other(operator: Operator) -> None:
    holder, waiting = start_refund(), start_refund()
    let_wait(waiting, holder, before=1)

    page = operator.page(waiting).content.decode()
    assert f"for order {ORDER_ID}, held by saga {holder} (refund_order.v1, executing open_change); 1 saga is" in said(
        page
    )
    assert f'href="{SAGAS}{holder}/change/"' in page

    page = operator.page(holder).content.decode()
    assert f'href="{SAGAS}{waiting}/change/"' in page
    assert f"{waiting} refund_order.v1, {RESOURCE}" in said(page)


def test_a_victim_and_its_successor_link_to_each_other(
    operator: Operator, situations: Situations, capsys: pytest.CaptureFixture[str]
) -> None:
    victim, now = situations.running(), datetime.now(UTC)
    give_up(victim)
    situations.report(victim, PivotBarred())
    situations.report(victim, StepsUndone(tuple((step, now) for step in COMPENSABLE)))
    successor = store.find_successors([victim])[victim].pk

    assert str(successor) in operator.page(victim).content.decode()
    assert str(victim) in operator.page(successor).content.decode()
    assert f"Saga {successor} does its work again." in operator.page(victim).content.decode()
    for saga_id, other, name in ((victim, successor, "retried_by"), (successor, victim, "retry_of")):
        call_command("saga", "show", str(saga_id), "--format", "json")
        assert json.loads(capsys.readouterr().out)[name] == str(other)
        call_command("saga", "show", str(saga_id))
        assert str(other) in capsys.readouterr().out
