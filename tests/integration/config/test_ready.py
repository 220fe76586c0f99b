"""`manage.py ready`: what is missing, one line each, and nothing is changed."""

import re
import threading
import time
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from celery import current_app
from django.conf import settings
from django.core.management import CommandError, call_command

from config import env, readiness
from config.settings._values import VALUES
from orchestration.messaging.topology import Topology
from tests.support.broker import talking_to
from tests.support.processes import Worker

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))


@pytest.fixture
def other_prefix(settings):
    """Queues of a name that nobody has declared."""
    settings.TOPOLOGY = Topology(prefix=f"{settings.TOPOLOGY.prefix}other.", queue_type="classic")
    yield settings.TOPOLOGY
    channel: Any
    with current_app.connection_for_write() as connection, connection.channel() as channel:
        for queue in (*settings.TOPOLOGY.queues, settings.TOPOLOGY.dead_letter_queue):
            channel.queue_delete(queue.name)
        for exchange in (settings.TOPOLOGY.exchange, settings.TOPOLOGY.dead_letter_exchange):
            channel.exchange_delete(exchange.name)


def test_a_missing_queue_is_named_and_not_made(other_prefix):
    first = (
        f"queue {other_prefix.prefix}orchestrator is missing, of 10; run manage.py declare_queues (SHOP_QUEUE_PREFIX)"
    )

    assert list(readiness.problems()) == [first]
    assert list(readiness.problems()) == [first]


def test_declared_queues_are_found(other_prefix):
    call_command("declare_queues")

    assert list(readiness.problems()) == []


def test_a_database_that_is_not_there_is_named_with_the_reason_and_what_to_do(other_prefix, monkeypatch):
    call_command("declare_queues")
    monkeypatch.setattr(readiness, "check_available", _away)

    [said] = [problem for problem in readiness.problems() if "database orders" in problem]
    name = settings.DATABASES["orders"]["NAME"]
    assert said.endswith(f'({name}): database "nowhere" does not exist; run manage.py migrate --create')


def test_servers_that_are_away_are_one_line_each_with_how_to_get_one(monkeypatch, settings, capsys):
    def refuse(alias: str) -> None:
        raise psycopg.OperationalError('connection to server at "127.0.0.1", port 1 failed: Connection refused')

    monkeypatch.setattr(readiness, "check_available", refuse)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    for options in ({}, {"servers": True}):
        with talking_to("amqp://shop:hush@127.0.0.1:1//"), pytest.raises(SystemExit):
            call_command("ready", **options)
        said = capsys.readouterr().err.splitlines()
        assert [line.split(":")[0] for line in said[:3]] == ["warning", "not ready", "not ready"]
        assert "Redis (SHOP_REDIS_URL)" in said[0]
        databases = ", ".join(env.ALIASES)
        assert f"PostgreSQL (SHOP_POSTGRES_URL), database {databases}: connection to server" in said[1]
        assert "broker (SHOP_BROKER_URL) amqp://shop:**@127.0.0.1:1//" in said[2]
        assert [line.split(" on ")[0] for line in said[3:]] == ["to get PostgreSQL", "to get RabbitMQ", "to get Redis"]


def test_a_database_with_an_address_of_its_own_is_named_with_its_setting(monkeypatch, other_prefix) -> None:
    call_command("declare_queues")

    def refuse(alias: str) -> None:
        if alias in ("orders", "payments", "shipping"):
            raise psycopg.OperationalError(
                'connection to server at "db", port 1 failed: password authentication failed'
            )

    monkeypatch.setattr(readiness, "check_available", refuse)
    monkeypatch.setitem(VALUES, "ORDERS_DATABASE_URL", "postgres://db:1/orders")
    found = list(readiness.problems())
    assert [line.partition(": ")[0] for line in found] == [
        "PostgreSQL (SHOP_POSTGRES_URL), database payments, shipping",
        "PostgreSQL (SHOP_ORDERS_DATABASE_URL), database orders",
    ]


@pytest.mark.parametrize(
    "why",
    [
        'connection to server at "10.0.0.7", port 5432 failed: Connection refused',
        'connection to server at "127.0.0.1", port 5432 failed: FATAL: password authentication failed for user "shop"',
        "session is read-only",
    ],
)
def test_only_a_server_that_is_missing_here_is_to_be_installed(why: str) -> None:
    assert list(readiness.how_to_get([f"{readiness.NO_DATABASES} (SHOP_POSTGRES_URL): {why}"])) == []


def test_silent_servers_are_waited_for_together(monkeypatch) -> None:
    released = threading.Event()

    def hang(alias: str) -> None:
        released.wait(20)
        raise psycopg.OperationalError("released")

    monkeypatch.setattr(readiness, "check_available", hang)
    monkeypatch.setattr(readiness, "PATIENCE", timedelta(seconds=0.5))
    begun = time.monotonic()
    try:
        [reported] = [line for line in readiness.problems() if line.startswith(readiness.NO_DATABASES)]
        assert time.monotonic() - begun < 5
    finally:
        released.set()
    assert reported == f"PostgreSQL (SHOP_POSTGRES_URL), database {', '.join(env.ALIASES)}: no answer within 0.5 s"


def test_a_shop_that_is_ready_says_where_to_look_and_how_to_log_in(other_prefix, settings, capsys):
    call_command("declare_queues")
    settings.PUBLIC_URL, settings.FLOWER_URL = "https://shop.example", "https://flower.example"
    capsys.readouterr()
    call_command("ready")

    said = capsys.readouterr().out
    for expected in ("https://shop.example/api/v1/docs", "https://shop.example/admin/", "https://flower.example"):
        assert expected in said
    assert "manage.py seed_catalogue" in said


def test_servers_without_our_databases_and_queues_are_enough_to_begin_with(other_prefix, monkeypatch):
    monkeypatch.setattr(readiness, "check_available", _away)

    assert list(readiness.servers_away()) == []


def _away(alias: str) -> None:
    if alias == "orders":
        raise psycopg.OperationalError('database "nowhere" does not exist')


def test_a_queue_of_another_type_is_said_to_be_so(other_prefix, settings):
    call_command("declare_queues")
    settings.TOPOLOGY = Topology(prefix=other_prefix.prefix, queue_type="quorum")
    with pytest.raises(
        CommandError, match=r"x-queue-type is 'classic', not 'quorum'.*set SHOP_QUEUE_TYPE to what it is"
    ):
        call_command("declare_queues")
    settings.TOPOLOGY = other_prefix


@pytest.mark.parametrize(
    ("arguments", "difference"),
    [
        ({"x-queue-type": "quorum"}, "x-queue-type is 'quorum', not 'classic'"),
        ({"x-max-length": 100}, "x-max-length is '100', not none"),
        ({"x-message-ttl": 60_000}, "x-message-ttl is '60000', not none"),
        ({"x-dead-letter-exchange": None}, "x-dead-letter-exchange is none, not '{prefix}dead-letters'"),
    ],
    ids=["type", "length", "time to live", "dead letters"],
)
def test_a_queue_with_other_arguments_is_named_with_what_differs(other_prefix, arguments, difference):
    declare_otherwise("inventory", **arguments)
    with pytest.raises(CommandError, match=f"^{re.escape(other_prefix.name('inventory'))}: "):
        call_command("declare_queues")

    [said] = readiness.problems()
    expected = f"queue {other_prefix.name('inventory')} is not as described: {difference}; drain and delete it, "
    assert said.startswith(expected.format(prefix=other_prefix.prefix))


def test_a_worker_starts_unless_its_own_queue_has_other_arguments(other_prefix):
    declare_otherwise("inventory", **{"x-max-length": 100})
    worker = Worker(["orders", "payments"])
    try:
        assert f"{other_prefix.name('inventory')} at the broker is not as described: x-max-length is" in worker.log()
    finally:
        worker.stop()
    with pytest.raises(AssertionError, match=r"this worker consumes .*inventory, and ends: see manage.py ready"):
        Worker(["inventory", "orders"])


def declare_otherwise(queue: str, **arguments: Any) -> None:
    described = next(each for each in settings.TOPOLOGY.queues if each.name == settings.TOPOLOGY.name(queue))
    wanted = {
        name: value for name, value in {**(described.queue_arguments or {}), **arguments}.items() if value is not None
    }
    channel: Any
    with current_app.connection_for_write() as connection, connection.channel() as channel:
        channel.queue_declare(described.name, durable=True, auto_delete=False, arguments=wanted)
