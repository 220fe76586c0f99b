"""The database backend: a thread whose time is short gets a connection in that time, or an error."""

import time
from functools import cache, partial
from typing import Any

from django.db.backends.postgresql import base
from psycopg import Connection, OperationalError
from psycopg_pool import ConnectionPool, PoolTimeout

from orchestration import deadline
from orchestration.process_breaker import LeftAlone, ProcessBreaker
from orchestration.sessions import patient_as_server

LEFT_ALONE_S = 1.0
LONG_ENOUGH_S = 1.0
"""A vain wait for a connection or an answer, if as long as this, shows that the database is away and not only busy."""


class DatabaseAway(OperationalError):
    """The database gave no connection a moment ago, so it was not asked again."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, with a pool that keeps to this thread's deadline."""

    @property
    def pool(self) -> Any:
        """Give the pool of this process, if the alias has one."""
        pool = super().pool
        return pool and PoolInTime(pool, breaker_of(self.alias))

    def ensure_connection(self) -> None:
        """Have a connection; outside a transaction another one, where a session has ended."""
        if self.connection is not None and self.connection.closed and not self.in_atomic_block:
            self.close()
        super().ensure_connection()

    def _configure_connection(self, connection: Any) -> bool:
        patient_as_server(connection)
        return bool(super()._configure_connection(connection))  # type: ignore[misc]


class PoolInTime:
    """A connection pool, as a thread sees it that may have a deadline."""

    def __init__(self, pool: "ConnectionPool[Connection[Any]]", breaker: ProcessBreaker) -> None:
        self._pool = pool
        self._breaker = breaker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def getconn(self) -> "Connection[Any]":
        """Take a connection; before its deadline, if this thread has one.

        Threads with a deadline do not line up for a database that is away: after a vain wait for a connection, or for
        an answer over one, they fail at once, but for one at a time that tries again. Others wait as the pool allows.

        :raises psycopg.OperationalError: when there is none in time.
        """
        if not deadline.is_set():
            return self._pool.getconn()
        seconds = deadline.left(self._pool.timeout)
        shows_it_is_away = (PoolTimeout,) if seconds >= LONG_ENOUGH_S else ()
        try:
            with self._breaker.calling(*shows_it_is_away, one_at_a_time=True):
                connection: Any = self._pool.getconn(timeout=seconds)
        except LeftAlone as error:
            raise DatabaseAway(DatabaseAway.__doc__ or "") from error
        connection.when_silent = partial(self._leave_alone, time.monotonic())
        return connection  # type: ignore[no-any-return]

    def _leave_alone(self, lent_at: float) -> None:
        if time.monotonic() - lent_at >= LONG_ENOUGH_S:
            self._breaker.open()


@cache
def breaker_of(alias: str) -> ProcessBreaker:
    """Give this process's breaker around an alias's database."""
    return ProcessBreaker(LEFT_ALONE_S)
