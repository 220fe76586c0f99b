"""Runs one transaction on one alias, and repeats it after conflicts and lost sessions."""

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
PAUSE = timedelta(milliseconds=10)  # doubled at each try, full jitter. Milliseconds only: sagas do longer retries
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
    """Run `work` in its own transaction and commit it. The commit is the failpoint.

    After version conflicts, serialization failures, deadlocks and ended sessions it is tried again, `TRIES` times at
    most. A COMMIT whose reply was lost may have happened, so `work` must begin with a unique key that makes a
    repetition harmless.

    :raises InsideATransaction: when the caller has one open.
    """
    return _repeated(alias, partial(_in_transaction, alias, failpoint, work))


def repeated(alias: str, work: Callable[[], T]) -> T:
    """Run `work`, which is its own transaction as a single statement is, and repeat it as `run` does.

    :raises InsideATransaction: when the caller has one open.
    """
    return _repeated(alias, partial(_alone, alias, work))


@contextmanager
def waiting_for_locks(seconds: timedelta) -> Iterator[None]:
    """Limit how long this thread's transactions in the block wait for a lock."""
    outer = _lock_timeout.set(seconds)
    try:
        yield
    finally:
        _lock_timeout.reset(outer)


def waited_for_a_lock(error: Exception) -> bool:
    """Return whether a lock was not granted in time. Such an error concerns the rows, not the whole database."""
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
        connections[alias].close()  # the pool discards it and gives another
        return True
    return False
