"""What this process needs from elsewhere, and what of it is missing: one line each."""

from collections.abc import Iterator

from amqp.exceptions import AMQPError, PreconditionFailed
from django.conf import settings
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from config.celery import app
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
        executor = MigrationExecutor(connections[alias])
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        yield f"database {alias} ({name}): {_line(error)}"
        return

    missing = [f"{m.app_label}.{m.name}" for m, _ in plan if alias_of(m.app_label) == alias]
    if missing:
        yield f"database {alias} ({name}): migration {missing[0]} is missing, of {len(missing)}; run manage.py migrate"


def _broker() -> Iterator[str]:
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
            settings.TOPOLOGY.declare(connection)
    except PreconditionFailed as error:
        yield f"a queue exists that is not SHOP_QUEUE_TYPE={settings.TOPOLOGY.queue_type}: {_line(error)}"
    except (OperationalError, OSError, AMQPError) as error:
        yield f"broker (SHOP_BROKER_URL) {connection.as_uri()}: {_line(error)}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
