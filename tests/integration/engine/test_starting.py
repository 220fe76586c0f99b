"""Starting a saga: once per customer and key, whatever becomes of the broker."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections
from uuid_utils.compat import uuid7

from orchestration.contracts.inventory import ReserveStock
from orchestration.engine import engine
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.sagas.checkout import checkout
from tests.support.shop import Shop, forward_from

pytestmark = pytest.mark.django_db(transaction=True, databases=["orchestration"])
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def start(key: str = "key", digest: str = "hash", customer: str = "ann") -> engine.Started:
    origin = engine.Origin(customer, key, digest)
    return engine.start_saga(checkout, Shop().request(), saga_id=uuid7(), origin=origin, now=NOW)


def test_a_started_saga_is_written_down_and_sent(sent):
    started = start()

    saga = SagaInstance.objects.get()
    assert (started.saga_id, started.created) == (saga.pk, True)
    assert (saga.phase, saga.in_flight, saga.deadline_at) == ("running", True, NOW + checkout.deadline)
    assert [entry.kind for entry in SagaLogEntry.objects.all()] == ["started"]
    assert sent.commands == [(forward_from("reserve_stock"), 1)]


def test_the_same_key_and_hash_is_the_same_saga(sent):
    first, second = start(), start()

    assert (second.saga_id, second.created) == (first.saga_id, False)
    assert len(sent.commands) == 1


def test_the_same_key_with_another_hash_is_refused(sent):
    start()

    with pytest.raises(engine.KeyReused):
        start(digest="other")


def test_keys_belong_to_their_customer(sent):
    assert start(customer="ann").created
    assert start(customer="bob").created


def test_a_key_being_accepted_elsewhere_is_in_progress(sent):
    def hold_the_key(check):
        with connections["orchestration"].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", ["ann\nkey"])
            found = check()
            cursor.execute("SELECT pg_advisory_unlock_all()")
        return found

    with ThreadPoolExecutor(1) as pool:
        error = hold_the_key(lambda: pool.submit(_and_close(start)).exception())

    assert isinstance(error, engine.KeyInProgress)


def test_many_at_once_with_one_key_make_one_saga(sent):
    def attempt(_):
        try:
            return start().created
        except engine.KeyInProgress:
            return False
        finally:
            connections["orchestration"].close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(32))) == 1
    assert SagaInstance.objects.count() == 1


def test_a_dead_broker_loses_nothing(sent):
    sent.away = True

    start()

    saga = SagaInstance.objects.get()
    assert (saga.in_flight, saga.due_at is not None) == (False, True)


def test_a_request_of_another_type_is_refused(sent):
    request = ReserveStock(uuid7(), uuid7(), ())

    with pytest.raises(engine.WrongRequestType, match="CheckoutRequested, not ReserveStock"):
        engine.start_saga(checkout, request, saga_id=uuid7(), origin=engine.Origin("ann", "key", "hash"), now=NOW)


@pytest.mark.parametrize(
    ("saga", "said"),
    [
        (replace(checkout, name="checkout.v3"), r"no saga definition is called 'checkout\.v3'"),
        (replace(checkout, deadline=timedelta(hours=1)), r"checkout\.v2: another saga definition is registered"),
    ],
)
def test_a_saga_that_nothing_would_carry_on_is_refused_before_it_is_written(sent, saga, said):
    origin = engine.Origin("ann", "key", "hash")

    with pytest.raises(engine.NotRegistered, match=said):
        engine.start_saga(saga, Shop().request(), saga_id=uuid7(), origin=origin, now=NOW)

    assert not SagaInstance.objects.exists()
    assert sent.commands == []


def _and_close(work):
    def run():
        try:
            return work()
        finally:
            connections["orchestration"].close()

    return run
