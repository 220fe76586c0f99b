"""Does work for many members at once. A member that causes an error fails alone."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import timedelta
from typing import TypeVar

from django.db import InterfaceError, OperationalError

from orchestration.db.transactions import waited_for_a_lock, waiting_for_locks

T = TypeVar("T")
R = TypeVar("R")

HITS_ALL = (OperationalError, InterfaceError)
"""The database is unavailable or misconfigured, so a smaller batch would fail as well. Lock timeouts are handled
separately."""

LOCK_WAIT, TRIED_APART = timedelta(milliseconds=50), timedelta(seconds=1)


def each_or_error(work: Callable[[Sequence[T]], Sequence[R]], members: Sequence[T]) -> list[R | Exception]:
    """Do the work for all members at once and return its result for each.

    When the work raises, it is done for each half separately, and so on. A member that fails alone gets the error. Work
    is repeated for members that were done together with a failed one, so it must be idempotent.

    Callers that share this work wait once for the full lock timeout. After that, each try waits `LOCK_WAIT`, and all
    tries together `TRIED_APART`. Members that are still together then all get the error.
    """
    return _each_or_error(work, members, until=None)


def _each_or_error(
    work: Callable[[Sequence[T]], Sequence[R]], members: Sequence[T], *, until: float | None
) -> list[R | Exception]:
    try:
        return list(work(members))
    except Exception as error:
        is_locked = waited_for_a_lock(error)
        is_over = is_locked and until is not None and time.monotonic() > until
        if len(members) <= 1 or is_over or (isinstance(error, HITS_ALL) and not is_locked):
            return [error for _ in members]
        if is_locked and until is None:
            until = time.monotonic() + TRIED_APART.total_seconds()
    middle = len(members) // 2
    with waiting_for_locks(LOCK_WAIT) if is_locked else nullcontext():
        first = _each_or_error(work, members[:middle], until=until)
        return first + _each_or_error(work, members[middle:], until=until)
