"""The why line, held against the real cause."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import connections

from orchestration.contracts.payments import authorise_payment
from orchestration.engine import dispatch, engine, store
from orchestration.messaging.topology import ORCHESTRATOR
from orchestration.models import SagaInstance
from orchestration.operators.insight.why import why
from orchestration.operators.insight.why_facts import Cause, Why
from orchestration.participant.breaker_redis import BreakerKeys, connect
from orchestration.participant.external import ExternalCommand
from orchestration.participant.ledger_store import Call
from orchestration.participant.participant import participant_of
from orchestration.protocol.events import Paused
from orchestration.sagas.checkout import checkout
from payments.gateways.port import GatewayDown
from payments.gateways.sandbox.gateway import SandboxGateway
from payments.models import Payment
from payments.tasks import participant as payments
from tests.support.broker import channel, declare_queues, talking_to, waiting_messages
from tests.support.forgetful_gateway import ForgetfulGateway
from tests.support.processes import ALL_QUEUES
from tests.support.tables import missing_table
from tests.support.wait import wait_for

NOWHERE = "amqp://guest:guest@127.0.0.1:1//"
ALL_BUT_ORCHESTRATOR = tuple(queue for queue in ALL_QUEUES if queue != ORCHESTRATOR)
BREAKER = cast(ExternalCommand, payments.commands[authorise_payment]).breaker


def said(saga_id: UUID) -> Why:
    found = why(saga_id)
    assert found is not None
    return found


def becomes(saga_id: UUID, cause: Cause) -> Why:
    """Wait until that is why it does not move."""
    wait_for(lambda: said(saga_id).cause is cause, what=f"{cause}, not {said(saga_id)}")
    return said(saga_id)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent reaches nobody."""
    monkeypatch.setattr(dispatch, "send", lambda instance, command: None)


@contextmanager
def locked(alias: str, *statements: str) -> Iterator[None]:
    """Hold locks in a session of one's own."""
    at = connections[alias].get_connection_params()
    server = {name: at[name] for name in ("host", "port", "user", "password", "dbname") if at.get(name)}
    with psycopg.connect(**server) as session:
        for statement in statements:
            session.execute(statement)
        yield
        session.rollback()


def test_a_queue_that_nobody_consumes(shop, workforce, clean_slate):
    workforce.stop_shared()
    saga_id = shop.place()

    found = said(saga_id)
    assert found.cause is Cause.NO_CONSUMER
    assert found.sentence == f"Queue {settings.TOPOLOGY.name('inventory')} has no consumer."
    assert found.evidence == ("1 message waiting in it",)
    assert found.unread == ()


def test_a_queue_that_is_gone(shop, workforce, clean_slate):
    workforce.stop_shared()
    saga_id = shop.place()
    try:
        with channel() as opened:
            opened.queue_delete(settings.TOPOLOGY.name("inventory"))
        assert said(saga_id).cause is Cause.QUEUE_MISSING
    finally:
        declare_queues()


def test_a_message_in_the_dead_letter_queue(shop, workforce, clean_slate):
    workforce.stop_shared()
    saga_id, other = shop.place(), shop.place()
    with channel() as opened:
        message = opened.basic_get(settings.TOPOLOGY.name("inventory"))
        opened.basic_reject(message.delivery_tag, requeue=False)

    assert becomes(saga_id, Cause.DEAD_LETTER).sentence.endswith("(rejected).")
    assert said(other).cause is Cause.NO_CONSUMER


def test_a_queue_in_which_others_are_before_it(shop, start_worker):
    worker = start_worker(threads=1)
    inventory = settings.TOPOLOGY.name("inventory")
    worker.process.send_signal(signal.SIGSTOP)
    try:
        sagas = [shop.place() for _ in range(worker.prefetched + 3)]
        wait_for(lambda: waiting_messages([inventory]) == 3, what="three that the worker has no hands for")
        found = said(sagas[-1])
    finally:
        worker.process.send_signal(signal.SIGCONT)

    assert found.cause is Cause.IN_QUEUE
    assert found.sentence.startswith(f"Waiting in queue {inventory} for ")
    assert found.evidence == ("3 messages waiting in it, 1 consumer",)
    assert (found.step, found.needs_a_person, found.unread) == ("reserve_stock", False, ())
    assert set(shop.ended(*sagas)) == {"completed"}  # as it says: when its turn comes


def test_a_step_that_was_tried_for_an_hour_is_parked(shop, start_worker):
    start_worker(ALL_BUT_ORCHESTRATOR)
    saga_id = shop.place(payment_method="tok_capture_fail_1")
    wait_for(lambda: waiting_messages([settings.TOPOLOGY.name(ORCHESTRATOR)]), what="the report of the failure")
    tries = checkout.by_name["capture_payment"].retry.park_after
    progress = {**shop.saga(saga_id).progress, "failures": {"capture_payment": tries - 1}}
    later = datetime.now(UTC) + timedelta(hours=1)
    so_often_before = {"phase": "finishing", "progress": progress, "due_at": later}
    SagaInstance.objects.filter(pk=saga_id).update(**so_often_before)
    start_worker([ORCHESTRATOR])

    found = becomes(saga_id, Cause.PARKED)
    reported = f"Parked: executing capture_payment failed {tries} times; last error: GatewayBroken"
    assert found.sentence.startswith(reported)
    assert (found.step, found.needs_a_person, found.unread) == ("capture_payment", True, ())
    engine.resume_saga(saga_id, by="ada", reason="the gateway is well", now=datetime.now(UTC))
    assert shop.ended(saga_id) == ["completed"]


def test_what_the_gateway_will_never_do_is_parked_at_once(shop, start_worker):
    start_worker(ALL_BUT_ORCHESTRATOR)
    saga_id = shop.place(payment_method="tok_capture_fail_1")
    wait_for(lambda: waiting_messages([settings.TOPOLOGY.name(ORCHESTRATOR)]), what="the report of the failure")
    SandboxGateway().void(Payment.objects.get(saga_id=saga_id).authorisation_id, key="somebody at the gateway's desk")
    start_worker([ORCHESTRATOR])

    found = becomes(saga_id, Cause.PARKED)
    reported = "Parked: executing capture_payment failed 2 times; last error: AuthorisationLapsed"
    assert found.sentence.startswith(reported)
    assert (found.step, found.needs_a_person, found.unread) == ("capture_payment", True, ())


def test_a_call_of_which_nobody_can_find_out_any_more_is_parked(shop, start_worker):
    forgetful = f"{ForgetfulGateway.__module__}.{ForgetfulGateway.__qualname__}"
    day = ForgetfulGateway.key_lifetime.total_seconds()
    start_worker(env={"SHOP_PAYMENT_GATEWAY": forgetful, "SHOP_KEY_MARGIN_SECONDS": str(day)})
    saga_id = shop.place(payment_method="tok_timeout_before")

    found = becomes(saga_id, Cause.PARKED)
    assert found.sentence == "The outcome of authorise_payment can no longer be determined. Operator action required."
    assert (found.step, found.needs_a_person, found.unread) == ("authorise_payment", True, ())


def test_a_breaker_that_tripped(shop, start_worker):
    start_worker()  # one that others share would remember for a second that it was open
    for _ in range(BREAKER.fail_max):
        with pytest.raises(GatewayDown), BREAKER.calling():
            raise GatewayDown
    saga_id = shop.place()
    shop.reaches(saga_id, "waiting authorise_payment")

    found = becomes(saga_id, Cause.BREAKER_OPEN)
    assert found.sentence.startswith(f"authorise_payment is waiting: breaker {BREAKER.name} is open, next probe in ")
    assert found.evidence == ("5 consecutive failures",)
    engine.cancel_saga(saga_id, now=datetime.now(UTC))
    shop.ended(saga_id)


def test_a_step_that_failed_and_waits(shop, shared_worker):
    saga_id = shop.place(payment_method="tok_fail_2")

    assert becomes(saga_id, Cause.RETRY).sentence.startswith("authorise_payment failed (GatewayBroken")
    engine.resume_saga(saga_id, by="ada", reason="it need not wait", now=datetime.now(UTC))
    shop.ended(saga_id)


def test_a_row_that_another_saga_has_locked(shop, shared_worker):
    other = shop.place()
    shop.ended(other)
    later = datetime.now(UTC) + timedelta(minutes=9)  # beyond that, recovery takes it for a wrong clock's
    SagaInstance.objects.filter(pk=other).update(phase="running", ended_at=None, due_at=later)
    stock = f"SELECT 1 FROM inventory_stock WHERE sku = '{shop.sku}' FOR UPDATE"
    its_row = f"SELECT 1 FROM inventory_ledger WHERE saga_id = '{other}' FOR UPDATE"
    with locked("inventory", its_row, stock):
        saga_id = shop.place()
        found = becomes(saga_id, Cause.LOCKED)

    assert re.fullmatch(rf"Waiting for .+ for a lock on stock {shop.sku} held by saga {other}\.", found.sentence)
    assert "idle in transaction" in found.evidence[0]
    shop.ended(saga_id)
    SagaInstance.objects.filter(pk=other).update(phase="completed", ended_at=datetime.now(UTC), due_at=None)


def test_a_call_that_has_no_answer_yet(shop, shared_worker, held):
    saga_id = shop.place()
    asked = Call(saga_id, "reserve_stock", 1)
    participant_of("inventory").rows.claim([asked], "done")
    participant_of("payments").rows.claim([Call(saga_id, "authorise_payment", 1)], "started", keep_request=True)

    found = said(saga_id)
    assert found.cause is Cause.EXTERNAL_CALL
    assert found.sentence.startswith("Waiting for payments for ")
    SagaInstance.objects.filter(pk=saga_id).update(paused=True, due_at=None)


def test_a_step_that_is_being_carried_out(shop, shared_worker, held):
    saga_id = shop.place()
    assert said(saga_id).sentence.startswith("Executing reserve_stock in inventory for ")


def test_a_pause(shop, workforce, clean_slate, held):
    saga_id = shop.place()
    engine.apply(saga_id, Paused("ada", "the gateway is being moved"), now=datetime.now(UTC))

    assert said(saga_id).sentence == "Paused by ada: the gateway is being moved."
    assert said(saga_id).needs_a_person


def test_code_that_lacks_the_definition(shop, workforce, clean_slate, held):
    saga_id = shop.place()
    SagaInstance.objects.filter(pk=saga_id).update(definition="checkout.v0")
    assert said(saga_id).sentence == "This process has no saga definition checkout.v0."


def test_no_orchestrator(shop, workforce, clean_slate, held):
    workforce.stop_shared()
    saga_id = shop.place()
    store.mark_undelivered(shop.saga(saga_id), timedelta(minutes=-1))
    assert said(saga_id).sentence == "Overdue for 1 min: no orchestrator is running."


def test_a_broker_that_is_away(shop, workforce, clean_slate, held):
    saga_id = shop.place()
    store.mark_undelivered(shop.saga(saga_id), timedelta(minutes=1))
    with talking_to(NOWHERE):
        found = said(saga_id)

    assert found.sentence == "The broker is unavailable."
    [unread] = found.unread
    assert unread.startswith("RabbitMQ does not answer: ")


def test_whatever_is_down_is_named_and_the_rest_is_said(shop, workforce, clean_slate, held, monkeypatch):
    saga_id = shop.place()
    participant_of("inventory").rows.claim([Call(saga_id, "reserve_stock", 1)], "done")
    silent = BreakerKeys(BREAKER.name, lambda: connect("redis://127.0.0.1:1/0"))
    with monkeypatch.context() as patched, talking_to(NOWHERE), missing_table("payments", "payments_ledger"):
        patched.setattr(BREAKER._record, "keys", silent)
        found = said(saga_id)

    assert found.sentence == "authorise_payment is waiting: the database of payments does not answer."
    assert [source.partition(" does not answer")[0] for source in found.unread] == [
        *("RabbitMQ", "Redis", "the database of payments")
    ]


def test_a_saga_that_is_not_there():
    assert why(UUID(int=1)) is None
