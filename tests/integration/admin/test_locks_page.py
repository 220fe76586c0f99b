"""The page of locks shows who holds a lock, who waits for it, and which deadlocks were ended."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError
from uuid_utils.compat import uuid7

from config import env
from orchestration.engine import deadlocks, dispatch, engine
from orchestration.models import ALIAS, Deadlock, SagaInstance
from orchestration.operators.insight import locks as lock_reads
from orchestration.operators.insight import wait_graph
from orchestration.protocol.events import PivotBarred, StepsUndone, StepWaits
from orchestration.sagas import definitions
from payments.models import Hold, Turn
from tests.integration.admin.conftest import Operator
from tests.integration.admin.situations import Post
from tests.support import markup
from tests.support.two_locks import ExchangeRequested, exchange

pytestmark = pytest.mark.django_db(databases=list(env.ALIASES))

PAGE = "/admin/operations/locks/"
EARLIER = timedelta(minutes=20)


@pytest.fixture(autouse=True)
def exchange_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(definitions, exchange.name, exchange)
    monkeypatch.setattr(dispatch, "send", Post().send)


def started() -> UUID:
    now = datetime.now(UTC)
    origin = engine.Origin("ann", str(uuid4()), "hash")
    return engine.start_saga(exchange, ExchangeRequested("a", "b"), saga_id=uuid7(), origin=origin, now=now).saga_id


def held(saga_id: UUID, resource: str = "wallet:a") -> None:
    Hold.objects.create(
        resource=resource, saga_id=saga_id, step="take_first", fence=1, since=datetime.now(UTC) - EARLIER
    )


def waits(saga_id: UUID, holder: UUID, resource: str = "wallet:a") -> None:
    now = datetime.now(UTC)
    Turn.objects.create(resource=resource, saga_id=saga_id, step="take_second")
    report = StepWaits("take_second", 1, resource, holder, 0, now, done=(("take_first", now),))
    engine.apply(saga_id, report, now=now)


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
    assert [set(loop) for loop in operator.client.get(PAGE).context["graph"].loops] == [{first, second}]

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
