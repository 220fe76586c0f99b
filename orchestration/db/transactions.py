"""One transaction on one alias, run again in place when PostgreSQL or a version says so."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from functools import partial
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction
from psycopg.errors import ConnectionTimeout
from psycopg_pool import PoolTimeout

from orchestration.db.commits import committing
from orchestration.db.sessions import DatabaseSilent, OutOfTime, SessionEnded
from orchestration.db.sql import run_later
from orchestration.db.statement_buffer import gathered
from orchestration.failpoints import Failpoint

T = TypeVar("T")

TRIES = 5
PAUSE = timedelta(milliseconds=10)  # times 2 each try, full jitter: milliseconds only, anything longer is the saga's
SERIALIZATION_FAILURE, DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE = (
    "40001",
    "40P01",
    "55P03",
)  # PostgreSQL manual, appendix A
TOOK_TOO_LONG = (PoolTimeout, ConnectionTimeout, DatabaseSilent, OutOfTime)  # seconds have been spent already


_lock_timeout: ContextVar[timedelta | None] = ContextVar("lock_timeout", default=None)


class VersionConflict(Exception):
    """Another transaction changed the row first. The kit runs this one again."""


class InsideATransaction(RuntimeError):
    """The kit owns every transaction; the caller must not have one open."""


def run(alias: str, failpoint: Failpoint, work: Callable[[], T]) -> T:
    """Run `work` in a transaction of its own and commit it; the commit is that failpoint.

    Version conflicts, serialization failures, deadlocks and sessions that ended are tried again, at most `TRIES` times.
    A COMMIT whose reply was lost may have happened: `work` must begin with the unique key that makes it harmless.

    :raises InsideATransaction: when the caller has one open.
    """
    return _repeated(alias, partial(_in_transaction, alias, failpoint, work))


def repeated(alias: str, work: Callable[[], T]) -> T:
    """The same for work that brings its own transaction, as a single statement does."""
    return _repeated(alias, partial(_alone, alias, work))


@contextmanager
def waiting_for_locks(seconds: timedelta) -> Iterator[None]:
    """Have this thread's transactions in the block wait for a lock no longer than this."""
    outer = _lock_timeout.set(seconds)
    try:
        yield
    finally:
        _lock_timeout.reset(outer)


def waited_for_a_lock(error: Exception) -> bool:
    """Say whether a lock was not to be had in time, which is the fault of the rows and not of the database."""
    return getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE


def _repeated(alias: str, work: Callable[[], T]) -> T:
    if connections[alias].in_atomic_block:
        raise InsideATransaction(f"{alias}: {InsideATransaction.__doc__}")
    for attempt in range(1, TRIES):
        try:
            return work()
        except (VersionConflict, DatabaseError, InterfaceError) as error:
            if not _worth_repeating(alias, error):
                raise
        time.sleep(random.uniform(0, PAUSE.total_seconds() * 2**attempt))
    return work()


def _in_transaction(alias: str, failpoint: Failpoint, work: Callable[[], T]) -> T:
    with committing(alias, failpoint):
        _bound_lock_waits(alias)
        return work()


def _alone(alias: str, work: Callable[[], T]) -> T:
    if _lock_timeout.get() is None:
        return work()
    with transaction.atomic(using=alias), gathered(alias):  # a timeout of its own needs a transaction
        _bound_lock_waits(alias)
        return work()


def _bound_lock_waits(alias: str) -> None:
    if seconds := _lock_timeout.get():
        run_later(alias, f"SET LOCAL lock_timeout = {seconds // timedelta(milliseconds=1)}")


def _worth_repeating(alias: str, error: Exception) -> bool:
    if isinstance(error, VersionConflict):
        return True
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    if sqlstate in (SERIALIZATION_FAILURE, DEADLOCK_DETECTED):
        return True
    if not isinstance(error, OperationalError | InterfaceError) or isinstance(error.__cause__, TOOK_TOO_LONG):
        return False
    if sqlstate is None or isinstance(error.__cause__, SessionEnded):
        connections[alias].close()  # the pool throws it away and gives another
        return True
    return False
