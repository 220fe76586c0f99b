"""Queues over Redis, as on a machine without RabbitMQ: an empty one is there, and the broker tells of no consumers."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from kombu import Connection

from config import readiness
from config.celery import app
from config.doctor import broker
from deploy.servers import PrivateRedis
from deploy.servers.redis import wheel_program
from orchestration.messaging.topology import Depth, Topology
from orchestration.operators.insight.queues import QueueNow, every_queue
from orchestration.operators.insight.sources import Unavailable

TOPOLOGY = Topology(prefix="over-redis.", queue_type="classic")
NAMES = [queue.name for queue in (*TOPOLOGY.queues, TOPOLOGY.dead_letter_queue)]


@pytest.fixture(scope="module")
def valkey() -> Iterator[PrivateRedis]:
    with PrivateRedis(program=wheel_program()) as server:
        yield server


@pytest.fixture
def over_redis(valkey: PrivateRedis, settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """The broker is a Valkey in which nothing has been declared."""
    with Connection(valkey.url) as connection:
        valkey_itself: Any = connection.default_channel
        valkey_itself.client.flushdb()
        settings.TOPOLOGY, settings.BROKER_HAS_CONFIRMS = TOPOLOGY, False
        monkeypatch.setattr(app, "connection_for_write", lambda *_, **__: Connection(valkey.url))
        monkeypatch.setattr(app, "connection_for_read", lambda *_, **__: Connection(valkey.url))
        yield connection


def test_queues_that_were_never_declared_are_missing(over_redis: Connection) -> None:
    assert list(TOPOLOGY.missing(over_redis)) == NAMES
    assert "queue over-redis.orchestrator is missing" in readiness.CHECKS["broker"]()


def test_empty_queues_that_were_declared_are_there(over_redis: Connection) -> None:
    call_command("declare_queues")

    assert list(TOPOLOGY.missing(over_redis)) == []
    assert readiness.CHECKS["broker"]() == ""
    assert TOPOLOGY.depths(over_redis) == {name: Depth(0, consumers=None) for name in NAMES}
    assert TOPOLOGY.differing(over_redis) == {}


def test_a_waiting_message_is_counted_and_nobody_is_said_to_be_missing(over_redis: Connection) -> None:
    call_command("declare_queues")
    with over_redis.Producer() as producer:
        producer.publish({}, exchange=TOPOLOGY.exchange.name, routing_key="over-redis.payments")

    queues = every_queue()
    assert not isinstance(queues, Unavailable)
    assert queues["over-redis.payments"] == QueueNow("over-redis.payments", 1, consumers=None)
    assert not queues["over-redis.payments"].is_stranded
    assert not [line for line in broker.look() if line.what.startswith("queue ")]
