"""Administration of the databases: create them, lock them for a migration, connect outside the pool."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connections
from psycopg import Connection, connect, pq, sql
from psycopg.errors import DuplicateDatabase, UniqueViolation

from orchestration.db.sessions import MARGIN, longer_waits

LOCK_KEY = "shop: migrate"
"""The key, before hashing, of the advisory lock that `migrate` holds."""
LOCK_RETRIED_EVERY_S = 0.1
LONG = ("statement_timeout", "idle_in_transaction_session_timeout")
"""PostgreSQL's limits that a migration needs to be longer: for a statement, and for a pause between two statements."""


class Busy(Exception):
    """Another process migrates this database and has not ended in time."""


def create_if_missing(alias: str) -> bool:
    """Create the alias's database and return True; return False if it exists. Several processes may do so at once.

    :raises Busy: when another process holds the lock for too long.
    """
    name = str(parameters_of(alias)["dbname"])
    with _migration_lock(**parameters_of(alias) | {"dbname": "postgres"}) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return False
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except (DuplicateDatabase, UniqueViolation):  # created by a process that does not use the lock
            return False
    return True


@contextmanager
def migrating(alias: str) -> Iterator[None]:
    """Lock the alias's database for a migration during the block, and give its session a migration's limits.

    :raises Busy: when another process holds the lock for too long.
    """
    with _migration_lock(**parameters_of(alias)), _limits_of_a_migration(alias):
        yield


def check_available(alias: str) -> None:
    """Raise an error if the alias's database cannot be used.

    :raises psycopg.Error: with the reason.
    """
    connect(**parameters_of(alias)).close()


def parameters_of(alias: str) -> dict[str, Any]:
    """Return the libpq parameters that reach the alias's database as the shop does: those of its URL and its
    settings.
    """
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    return {name: value for name, value in connections[alias].get_connection_params().items() if name in known}


def limit_waits(alias: str, *, milliseconds: int) -> None:
    """Limit the time that the alias's session waits for a lock."""
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {milliseconds}")


@contextmanager
def _migration_lock(**parameters: Any) -> Iterator[Connection]:
    """Hold the database's advisory lock in a session of its own, which ends with the process, however that ends.

    It retries instead of waiting: CREATE INDEX CONCURRENTLY waits for every running statement, so a statement that
    waits
    for this lock would block it.
    """
    deadline = time.monotonic() + settings.MIGRATION_LOCK_WAIT_MS / 1000
    with connect(**parameters, autocommit=True) as session:
        session.execute("SET statement_timeout = 0")  # copying a template may take long
        while not _taken(session):
            if time.monotonic() > deadline:
                raise Busy(f"another migrate has not ended within {settings.MIGRATION_LOCK_WAIT_MS / 1000:g} s")
            time.sleep(LOCK_RETRIED_EVERY_S)
        yield session


def _taken(session: Connection) -> bool:
    row = session.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [LOCK_KEY]).fetchone()
    return row is not None and bool(row[0])


@contextmanager
def _limits_of_a_migration(alias: str) -> Iterator[None]:
    connection = connections[alias]
    limit_waits(alias, milliseconds=settings.MIGRATION_LOCK_TIMEOUT_MS)
    with connection.cursor() as cursor:
        for name in LONG:
            cursor.execute(f"SET {name} = {settings.MIGRATION_STATEMENT_TIMEOUT_MS}")
    try:
        with longer_waits(connection.connection, settings.MIGRATION_STATEMENT_TIMEOUT_MS / 1000 + MARGIN):
            yield
    finally:
        if connection.connection is not None and connection.is_usable():
            with connection.cursor() as cursor:
                for name in ("lock_timeout", *LONG):
                    cursor.execute(f"RESET {name}")
