"""Checks of the servers that this process needs: one line for each that is missing."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial

import psycopg
from amqp.exceptions import AMQPError
from django.conf import settings
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from config.celery import app
from config.databases import check_available
from config.env import ALIASES, PREFIX, database_setting
from config.routers import alias_of
from config.settings._values import VALUES
from orchestration.participant.breaker_redis import connect
from orchestration.telemetry.parallel_reads import ParallelReads
from orchestration.text.formatting import one_line

DISPENSABLE = frozenset({"redis"})
"""Checks of servers that the shop can run without."""
NO_DATABASES, NO_BROKER, NO_REDIS = "PostgreSQL", "broker (SHOP_BROKER_URL)", "Redis (SHOP_REDIS_URL)"
"""The beginning of a line about a server that accepts no connection."""
HOW_TO_GET: Mapping[str, str] = {
    NO_DATABASES: "PostgreSQL on Debian or Ubuntu, as root: apt-get install postgresql && "
    "sudo -u postgres createuser --createdb --pwprompt shop; then in .env "
    "SHOP_POSTGRES_URL=postgres://shop:PASSWORD@127.0.0.1:5432",
    NO_BROKER: "RabbitMQ on Debian or Ubuntu, as root: apt-get install rabbitmq-server",
    NO_REDIS: "Redis on Debian or Ubuntu, as root: apt-get install redis-server",
}


PATIENCE = timedelta(seconds=6)
"""Above `connect_timeout`. It bounds all checks together, because they run at the same time."""
_NOTHING_LOCAL = re.compile(r"(127\.0\.0\.1|::1|localhost|socket).*(Connection refused|No such file or directory)")
"""The text of an error when no server listens on this host."""


def problems() -> Iterator[str]:
    """Return every reason not to start, with the server, the databases, the queue or the setting."""
    checks = {what: check for what, check in CHECKS.items() if what not in DISPENSABLE}
    found: dict[str, list[str]] = {}
    for what, answer in ParallelReads(checks, patience=PATIENCE, kept_for=timedelta(0)).answers().items():
        found.setdefault(answer if isinstance(answer, str) else f"{_server(what)}: {one_line(answer)}", []).append(what)
    return (_with_databases(line, names) for line, names in found.items() if line)


def servers_away() -> Iterator[str]:
    """Return only the problems of servers that accept no connection; databases and queues are created later."""
    return (line for line in problems() if line.startswith(tuple(HOW_TO_GET)))


def how_to_get(lines: Iterable[str]) -> Iterator[str]:
    """Return how to install each server that these lines report as missing on this host."""
    missing = tuple(filter(_NOTHING_LOCAL.search, lines))
    return (how for server, how in HOW_TO_GET.items() if any(line.startswith(server) for line in missing))


def warnings() -> Iterator[str]:
    """Yield what is missing but not required."""
    yield from (why for what in DISPENSABLE if (why := CHECKS[what]()))
    if not settings.BROKER_HAS_CONFIRMS:
        yield "SHOP_BROKER_URL is not RabbitMQ: no publisher confirms, no dead letters; not for production"


def _database(alias: str) -> str:
    name = settings.DATABASES[alias]["NAME"]
    try:
        check_available(alias)  # without the pool, which would hide the reason
        missing = [] if alias in _migrated else _missing_migrations(alias)
    except (DatabaseError, psycopg.Error) as error:
        why = one_line(error)
        if "does not exist" in why:
            return f"database {alias} ({name}): {why}; run manage.py migrate --create"
        return f"{_server(alias)}: {why}"
    if not missing:
        _migrated.add(alias)
        return ""
    return f"database {alias} ({name}): migration {missing[0]} is missing, of {len(missing)}; run manage.py migrate"


def _server(what: str) -> str:
    """Return the name of a check's server, with the setting that holds its address."""
    return f"{NO_DATABASES} ({PREFIX}{database_setting(VALUES, what)})" if what in ALIASES else NO_BROKER


def _with_databases(line: str, aliases: Iterable[str]) -> str:
    """Add to the line the databases of a server that share it."""
    server, colon, why = line.partition(": ")
    return f"{server}, database {', '.join(aliases)}{colon}{why}" if server.startswith(NO_DATABASES) else line


_migrated: set[str] = set()
"""Aliases without missing migrations. The running code needs no further ones, so they are not checked again."""


def _missing_migrations(alias: str) -> list[str]:
    executor = MigrationExecutor(connections[alias])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{m.app_label}.{m.name}" for m, _ in plan if alias_of(m.app_label) == alias]


def _broker() -> str:
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
            missing, differing = list(settings.TOPOLOGY.missing(connection)), settings.TOPOLOGY.differing(connection)
    except (OperationalError, OSError, AMQPError) as error:
        return f"{NO_BROKER} {connection.as_uri()}: {one_line(error)}"
    found = [f"queue {name} is not as described: {difference}" for name, difference in differing.items()]
    if found:
        found.append("drain and delete it, then run manage.py declare_queues; or see SHOP_QUEUE_TYPE")
    if missing:
        found.append(
            f"queue {missing[0]} is missing, of {len(missing)}; run manage.py declare_queues (SHOP_QUEUE_PREFIX)"
        )
    return "; ".join(found)


def _redis() -> str:
    try:
        connect(settings.REDIS_URL).ping()
    except RedisError as error:
        return f"{NO_REDIS} does not answer, circuit breakers stay closed: {one_line(error)}"
    return ""


CHECKS: Mapping[str, Callable[[], str]] = {
    **{alias: partial(_database, alias) for alias in ALIASES},
    "broker": _broker,
    "redis": _redis,
}
"""All checks by name. Each returns the problem as one line, or "" if there is none."""
