"""Return pooled connections early: a thread that waits for one pool must not hold a connection of another.

A pool has few connections. Two threads that each hold a connection of the pool that the other waits for block each
other until the pools time out, after ten seconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections, reset_queries
from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def borrowed(alias: str) -> Iterator[None]:
    """Return the alias's connection to its pool after the block, unless a transaction is open on it."""
    try:
        yield
    finally:
        _return(connections[alias])


def return_connections() -> None:
    """Return this thread's connections to their pools, except those in a transaction."""
    for connection in connections.all(initialized_only=True):
        _return(connection)


def return_connections_between_jobs() -> None:
    """Return connections between two jobs of a worker, and clear Django's log of their statements.

    In debug mode Django keeps the last 9,000 statements of each connection until a request ends. A worker has no
    requests.
    """
    return_connections()
    if settings.DEBUG:
        reset_queries()


def _return(connection: BaseDatabaseWrapper) -> None:
    if not connection.in_atomic_block:
        connection.close()
