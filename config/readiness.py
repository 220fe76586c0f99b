"""What this process needs from elsewhere, and what of it is missing: one line each."""

from collections.abc import Iterator

import psycopg
from amqp.exceptions import AMQPError
from django.conf import settings
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from config.celery import app
from config.databases import refuse_if_away
from config.env import ALIASES
from config.routers import alias_of
from orchestration.participant.breaker_record import connect


def problems() -> Iterator[str]:
    """Every reason not to start, naming the server, database, queue or setting."""
    for alias in ALIASES:
        yield from _database(alias)
    yield from _broker()


def warnings() -> Iterator[str]:
    """What is missing but can be done without."""
    try:
        connect(settings.REDIS_URL).ping()
    except RedisError as error:
        yield f"Redis (SHOP_REDIS_URL) does not answer, circuit breakers stay closed: {_line(error)}"
    if not settings.BROKER_HAS_CONFIRMS:
        yield "SHOP_BROKER_URL is not RabbitMQ: no publisher confirms, no dead letters; not for production"


def _database(alias: str) -> Iterator[str]:
    name = settings.DATABASES[alias]["NAME"]
    try:
        refuse_if_away(alias)  # without the pool, which would hide the reason
        executor = MigrationExecutor(connections[alias])
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (DatabaseError, psycopg.Error) as error:
        hint = "; run manage.py migrate --create" if "does not exist" in str(error) else ""
        yield f"database {alias} ({name}): {_line(error)}{hint}"
        return
    missing = [f"{m.app_label}.{m.name}" for m, _ in plan if alias_of(m.app_label) == alias]
    if missing:
        yield f"database {alias} ({name}): migration {missing[0]} is missing, of {len(missing)}; run manage.py migrate"


def _broker() -> Iterator[str]:
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
            missing = list(settings.TOPOLOGY.missing(connection))
    except (OperationalError, OSError, AMQPError) as error:
        yield f"broker (SHOP_BROKER_URL) {connection.as_uri()}: {_line(error)}"
        return
    if missing:
        yield f"queue {missing[0]} is missing, of {len(missing)}; run manage.py declare_queues (SHOP_QUEUE_PREFIX)"


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
