"""The database backend: a thread with a deadline gets a connection before it, or an error."""

from functools import cache
from typing import Any

from django.db.backends.postgresql import base
from psycopg import Connection, OperationalError
from psycopg_pool import ConnectionPool, PoolTimeout

from orchestration.db import deadline
from orchestration.db.process_breaker import BreakerIsOpen, ProcessBreaker
from orchestration.db.sessions import Session, adopt_statement_timeout

OPEN_FOR_S = 1.0
LONG_ENOUGH_S = 0.3
"""If a wait of at least this long ends without a connection, and no other thread got one meanwhile, the database counts
as unavailable."""
REQUESTS_WAIT_FOR_LOCKS_MS = 500
"""A request that waits for a lock keeps a pooled connection from others. Locks are held for some ten milliseconds."""


class DatabaseAway(OperationalError):
    """The database gave no connection a moment ago, so it was not asked again."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper, with a pool that respects this thread's deadline."""

    @property
    def pool(self) -> Any:
        """The pool of this process, if the alias has one."""
        pool = super().pool
        return pool and DeadlinePool(pool, breaker_of(self.alias))

    def ensure_connection(self) -> None:
        """Open a connection if there is none. Outside a transaction, replace one whose session has ended."""
        if self.connection is not None and self.connection.closed and not self.in_atomic_block:
            self.close()
        super().ensure_connection()

    def _configure_connection(self, connection: Any) -> bool:
        adopt_statement_timeout(connection)
        return bool(super()._configure_connection(connection))  # type: ignore[misc]


class DeadlinePool:
    """A connection pool that respects the deadline of the calling thread, if it has one."""

    def __init__(self, pool: "ConnectionPool[Connection[Any]]", breaker: ProcessBreaker) -> None:
        self._pool = pool
        self._breaker = breaker

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def getconn(self) -> "Connection[Any]":
        """Take a connection, before the thread's deadline if it has one.

        If such a wait ends without a connection, or if the server is silent, threads with a deadline fail at once for
        a second. After that one thread at a time tries again. Others wait as the pool allows.

        :raises psycopg.OperationalError: when there is none in time.
        """
        if not deadline.is_set():
            return self._prepared(self._pool.getconn(), None)
        seconds = deadline.left(self._pool.timeout)
        shows_it_is_away = (PoolTimeout,) if seconds >= LONG_ENOUGH_S else ()
        try:
            with self._breaker.calling(*shows_it_is_away, one_at_a_time=True):
                connection = self._pool.getconn(timeout=seconds)
        except BreakerIsOpen as error:
            raise DatabaseAway(DatabaseAway.__doc__ or "") from error
        return self._prepared(connection, REQUESTS_WAIT_FOR_LOCKS_MS)

    def _prepared(self, connection: "Connection[Any]", lock_wait_ms: int | None) -> "Connection[Any]":
        if isinstance(connection, Session):
            connection.when_silent = self._breaker.open
            try:
                connection.set_lock_wait(lock_wait_ms)
            except BaseException:
                self._pool.putconn(connection)
                raise
        return connection


@cache
def breaker_of(alias: str) -> ProcessBreaker:
    """Return this process's breaker for an alias's database."""
    return ProcessBreaker(OPEN_FOR_S)
