"""The Locks page shows which saga holds a lock, which sagas wait for it, and which deadlocks were ended."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError

from config import env
from orchestration.engine import deadlocks, dispatch, engine
from orchestration.models import ALIAS, Deadlock, SagaInstance
from orchestration.operators.insight import locks as lock_reads
from orchestration.operators.insight import wait_graph
from orchestration.protocol.events import PivotBarred, StepsUndone
from orchestration.sagas import definitions
from tests.integration.admin.conftest import Operator
from tests.integration.admin.situations import Post
from tests.support import markup
from tests.support.held_locks import held, started, waits
from tests.support.two_locks import exchange

pytestmark = pytest.mark.django_db(databases=list(env.ALIASES))

PAGE = "/admin/operations/locks/"


@pytest.fixture(autouse=True)
def exchange_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(definitions, exchange.name, exchange)
    monkeypatch.setattr(dispatch, "send", Post().send)


def said(operator: Operator) -> str:
    return markup.said(operator.client.get(PAGE).content.decode())


def test_without_locks_the_page_says_so(operator: Operator) -> None:
    text = said(operator)
    assert "No lock is held." in text
    assert "No saga waits for a lock." in text
    assert "There were none." in text


def test_a_lock_is_shown_with_its_holder_and_the_sagas_that_wait(operator: Operator) -> None:
    holder, waiter = started(), started()
    held(holder)
    waits(waiter, holder)

    answer = operator.client.get(PAGE)
    [lock] = answer.context["found"].locks
    assert (lock.resource, lock.service, lock.holder, lock.step) == ("wallet:a", "payments", holder, "take_first")
    assert [turn.saga_id for turn in lock.turns] == [waiter]
    text = markup.said(answer.content.decode())
    assert "20 min" in text
    assert "exchange.v1" in text
    assert f'data-saga="{waiter}"' in answer.content.decode(), "the graph has the saga that waits"


def test_a_lock_says_what_its_holder_does_now(operator: Operator) -> None:
    held(started())
    SagaInstance.objects.using(ALIAS).update(failing_step="take_second", last_error="GatewayTimeout")
    assert "take_first take_second GatewayTimeout 20 min" in said(operator)


def test_the_lock_of_an_order_leads_to_its_page_for_staff_who_may_view_orders(hire) -> None:
    order = uuid4()
    held(started(), f"order:{order}")
    link = f'href="/admin/orders/order/{order}/change/"'
    may, may_not = ("view_sagainstance", "view_order"), ("view_sagainstance",)
    assert link in hire(*may).client.get(PAGE).content.decode()
    User.objects.filter(username="operator").update(username="ada")
    assert link not in hire(*may_not).client.get(PAGE).content.decode()


def test_the_lock_of_a_saga_that_there_is_not_is_shown_all_the_same(operator: Operator) -> None:
    held(uuid4())
    assert "no such saga" in said(operator)


def test_a_service_that_does_not_answer_is_named_and_the_others_are_shown(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(started())
    read = lock_reads._of

    def away(participant, resource):
        if participant.service == "orders":
            raise DatabaseError("connection refused")
        return read(participant, resource)

    monkeypatch.setattr(lock_reads, "_of", away)
    text = said(operator)
    assert "the database of orders does not answer" in text
    assert "wallet:a" in text


def test_more_locks_than_are_shown_are_said_to_be_there(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_reads, "MOST_LOCKS", 1)
    held(started())
    assert "There are more locks" not in said(operator)
    held(started(), "wallet:b")
    assert "There are more locks" in said(operator)


def test_a_deadlock_is_drawn_and_then_listed_with_its_victim_and_successor(operator: Operator) -> None:
    first, second = started(), started()
    waits(first, second, "wallet:b")
    waits(second, first)
    assert [set(cycle) for cycle in operator.client.get(PAGE).context["graph"].cycles] == [{first, second}]

    now = datetime.now(UTC)
    deadlocks.end_deadlocks(now=now)
    [found] = operator.client.get(PAGE).context["deadlocks"]
    assert (found.victim_id, found.reason, found.successor_id) == (second, "the youngest", None)
    assert "no saga yet" in said(operator)

    engine.apply(second, PivotBarred(), now=now)
    engine.apply(second, StepsUndone((("take_second", now), ("take_first", now))), now=now)
    successor = SagaInstance.objects.using(ALIAS).get(retry_of=second)
    assert str(successor.pk) in said(operator)


def test_deadlocks_of_earlier_days_are_not_listed(operator: Operator) -> None:
    Deadlock.objects.using(ALIAS).create(
        victim_id=uuid4(),
        cycle=[],
        resources=[],
        definitions=[],
        reason="the youngest",
        found_at=datetime.now(UTC) - timedelta(hours=25),
    )
    assert "There were none." in said(operator)


def test_sagas_in_a_deadlock_are_drawn_before_others(monkeypatch: pytest.MonkeyPatch) -> None:
    holder, first, second = started(), started(), started()
    for _ in range(3):
        waits(started(), holder)
    waits(first, second)
    waits(second, first)
    monkeypatch.setattr(wait_graph, "MOST_SAGAS", 3)

    graph = wait_graph.wait_graph()
    assert {first, second} < {saga.saga_id for saga in graph.sagas}
    assert graph.left_out == 2


def test_only_staff_that_may_see_sagas_see_locks(hire) -> None:
    assert hire("view_auditfinding").client.get(PAGE).status_code == 403


@pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))
def test_two_people_break_a_lock(hire) -> None:
    holder, waiter = started(), started()
    held(holder)
    waits(waiter, holder)
    ada = hire("view_sagainstance", "break_lock").client
    assert "Break a lock" in markup.said(ada.get(PAGE).content.decode())
    asked = {"resource": "wallet:a", "reason": "its saga is lost", "evidence": "ticket 7"}
    answer = ada.post(f"{PAGE}break/", asked, follow=True)
    assert "operator asks to break wallet:a: its saga is lost. Evidence: ticket 7" in markup.said(
        answer.content.decode()
    )
    refused = ada.post(f"{PAGE}approve/", {"resource": "wallet:a"}, follow=True)
    assert "another person must approve it" in markup.said(refused.content.decode())

    User.objects.filter(username="operator").update(username="ada")
    done = hire("view_sagainstance", "break_lock").client.post(f"{PAGE}approve/", {"resource": "wallet:a"}, follow=True)
    assert f"wallet:a is broken. Saga {waiter} has it now." in markup.said(done.content.decode())
    [lock] = done.context["found"].locks
    assert lock.holder == waiter


def test_a_break_needs_evidence_and_the_permission(hire, operator: Operator) -> None:
    held(started())
    asked = {"resource": "wallet:a", "reason": "its saga is lost"}
    assert operator.client.post(f"{PAGE}break/", asked).status_code == 403
    assert operator.client.post(f"{PAGE}approve/", asked).status_code == 403
    assert "Break a lock" not in said(operator)
    User.objects.filter(username="operator").update(username="ada")
    answer = hire("view_sagainstance", "break_lock").client.post(f"{PAGE}break/", asked, follow=True)
    assert "Nothing was done: evidence" in markup.said(answer.content.decode())
