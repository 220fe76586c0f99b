"""Database connections held no longer than needed: who waits for one pool must not keep another's from who has it.

A pool has few connections. Threads that hold one of each other's pools and wait for the other's stand still until the
pools lose patience, after ten seconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def lent(alias: str) -> Iterator[None]:
    """Have the alias's connection for the length of the block; a transaction that is open keeps it."""
    try:
        yield
    finally:
        _give_back(connections[alias])


def give_connections_back() -> None:
    """Give this thread's connections back to their pools, but for those in a transaction."""
    for connection in connections.all(initialized_only=True):
        _give_back(connection)


def _give_back(connection: BaseDatabaseWrapper) -> None:
    if not connection.in_atomic_block:
        connection.close()
