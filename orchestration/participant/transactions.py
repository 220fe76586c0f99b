"""One transaction on one alias, run again in place when PostgreSQL or a version says so."""

import random
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connections
from psycopg.errors import ConnectionTimeout
from psycopg_pool import PoolTimeout

from orchestration.boundaries import Point
from orchestration.committing import committing
from orchestration.participant.refusals import VersionConflict
from orchestration.pipeline import STALE

T = TypeVar("T")

TRIES = 5
PAUSE = timedelta(milliseconds=10)  # times 2 each try, full jitter: milliseconds only, anything longer is the saga's
SERIALIZATION_FAILURE, DEADLOCK_DETECTED = "40001", "40P01"  # PostgreSQL manual, appendix A
CONNECTION_EXCEPTION, SHUTDOWNS = "08", ("57P01", "57P02")
TOOK_TOO_LONG = (PoolTimeout, ConnectionTimeout)  # seconds have been spent already


class InsideATransaction(RuntimeError):
    """The kit owns every transaction; the caller must not have one open."""


def run(alias: str, point: Point, work: Callable[[], T]) -> T:
    """Run `work` in a transaction of its own and commit it; the commit is that crash point.

    Version conflicts, serialization failures, deadlocks, prepared statements that have gone stale and lost connections
    are tried again, at most `TRIES` times.
    A COMMIT whose reply was lost may have happened: `work` must begin with the unique key that makes it harmless.

    :raises InsideATransaction: when the caller has one open.
    """
    return repeated(alias, partial(_in_transaction, alias, point, work))


def repeated(alias: str, work: Callable[[], T]) -> T:
    """The same for work that brings its own transaction, as a single statement does."""
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


def _in_transaction(alias: str, point: Point, work: Callable[[], T]) -> T:
    with committing(alias, point):
        return work()


def _worth_repeating(alias: str, error: Exception) -> bool:
    if isinstance(error, VersionConflict):
        return True
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    if sqlstate in (SERIALIZATION_FAILURE, DEADLOCK_DETECTED) or isinstance(error.__cause__, STALE):
        return True
    if not isinstance(error, OperationalError | InterfaceError) or isinstance(error.__cause__, TOOK_TOO_LONG):
        return False
    if sqlstate is None or sqlstate.startswith(CONNECTION_EXCEPTION) or sqlstate in SHUTDOWNS:
        connections[alias].close()  # the pool throws it away and gives another
        return True
    return False
