"""Polls until a result is there, with growing pauses."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TypeVar

from orchestration.db.connections import return_connections

FIRST_PAUSE_S = 0.005
LONGEST_PAUSE_S = 0.1

T = TypeVar("T")


def sleep_without_connections(seconds: float) -> None:
    """Return this thread's database connections, then sleep."""
    return_connections()
    time.sleep(seconds)


def growing_pauses() -> Iterator[float]:
    """Yield the seconds between two looks, doubling up to `LONGEST_PAUSE_S`, for callers that no event wakes."""
    step = FIRST_PAUSE_S
    while True:
        yield step
        step = min(2 * step, LONGEST_PAUSE_S)


def wait_for(
    look: Callable[[], T | None],
    timeout: timedelta,
    *,
    pauses: Iterable[float] | None = None,
    at_once: bool = True,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = sleep_without_connections,
) -> T | None:
    """Call `look` until it returns something or `timeout` has passed. Return what it returned, or None.

    The pauses between looks grow, or are `pauses` (seconds, infinite). The first look is `at_once` or after a pause.

    :raises ValueError: when `pauses` ends.
    """
    deadline = clock() + timeout.total_seconds()
    for step in growing_pauses() if pauses is None else pauses:
        if at_once and (seen := look()) is not None:
            return seen
        at_once = True
        left = deadline - clock()
        if left <= 0:
            return None
        pause(min(step, left))
    raise ValueError("the pauses came to an end")
