"""Database connections held no longer than needed: who waits for one pool must not keep another's from who has it.

A pool has few connections. Threads that hold one of each other's pools and wait for the other's stand still until the
pools lose patience, after ten seconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections, reset_queries
from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def borrowed(alias: str) -> Iterator[None]:
    """Have the alias's connection for the length of the block; a transaction that is open keeps it."""
    try:
        yield
    finally:
        _return(connections[alias])


def return_connections() -> None:
    """Give this thread's connections back to their pools, but for those in a transaction."""
    for connection in connections.all(initialized_only=True):
        _return(connection)


def return_connections_between_jobs() -> None:
    """The same between one piece of a worker's work and the next, and forget what was asked over them.

    In debug mode Django keeps the last 9,000 statements of each connection until a request ends, and in a worker none
    does.
    """
    return_connections()
    if settings.DEBUG:
        reset_queries()


def _return(connection: BaseDatabaseWrapper) -> None:
    if not connection.in_atomic_block:
        connection.close()
