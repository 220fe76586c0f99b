"""What the dashboard reads of queues, workers and breakers, and that each is survived when it is down."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from orchestration.contracts.payments import authorise_payment
from orchestration.models.actions import Via
from orchestration.operators.actions.breakers import NoSuchBreaker, close_breaker, open_breaker
from orchestration.operators.actions.requests import Actor
from orchestration.operators.insight.breakers import breaker_of, breakers
from orchestration.operators.insight.queues import QueueNow, queues
from orchestration.operators.insight.sources import Unavailable
from orchestration.operators.insight.workers import workers
from orchestration.participant.breaker import Breaker
from orchestration.participant.breaker_redis import BreakerKeys, connect
from tests.support.broker import talking_to

NOWHERE = "amqp://guest:guest@127.0.0.1:1//"
WORD = {"actor": Actor("ada", None, Via.COMMAND), "reason": "the gateway is being moved"}


@pytest.fixture
def breaker() -> Breaker:
    found = breaker_of("payments", authorise_payment)
    assert found is not None
    return found


def test_queues_say_what_waits_and_who_consumes(shop, shared_worker):
    found = queues()
    assert not isinstance(found, Unavailable)
    assert {queue.name for queue in found} == {queue.name for queue in settings.TOPOLOGY.queues}
    assert QueueNow(settings.TOPOLOGY.name("inventory"), 0, 1) in found


def test_workers_that_answer_are_named_with_their_queues(shared_worker):
    found = workers(timedelta(seconds=2))
    assert not isinstance(found, Unavailable)
    assert [worker.name for worker in found] == [shared_worker.name]
    assert settings.TOPOLOGY.name("inventory") in found[0].queues


def test_a_breaker_is_opened_and_closed_by_hand(breaker, clean_slate):
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    open_breaker(breaker.name, until=until, **WORD)
    [found] = [each for each in breakers() if each.name == breaker.name]
    assert (found.service, found.state, found.next_probe) == ("payments", "open", until)

    close_breaker(breaker.name, **WORD)
    [found] = [each for each in breakers() if each.name == breaker.name]
    assert (found.state, found.next_probe) == ("closed", None)
    with pytest.raises(NoSuchBreaker):
        close_breaker("another", **WORD)


def test_what_is_down_is_named(breaker, workforce, clean_slate, monkeypatch):
    with talking_to(NOWHERE):
        for found in (queues(), workers()):
            assert isinstance(found, Unavailable)
            assert found.why.startswith("RabbitMQ does not answer: ")
    with monkeypatch.context() as patched:
        patched.setattr(breaker._record, "keys", BreakerKeys(breaker.name, lambda: connect("redis://127.0.0.1:1/0")))
        away = breakers()
    assert isinstance(away, Unavailable)
    assert away.why.startswith("Redis does not answer: ")
