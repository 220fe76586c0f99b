"""Waiting for something to become true, gently."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.db import connections

FIRST_PAUSE_S = 0.005
LONGEST_PAUSE_S = 0.1

T = TypeVar("T")


def sleep_without_connections(seconds: float) -> None:
    """Sleep, with this thread's database connections given back to their pools."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
    time.sleep(seconds)


def wait_for(
    look: Callable[[], T | None],
    timeout: timedelta,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = sleep_without_connections,
) -> T | None:
    """Look again and again, at growing distances, until there is something to see or `timeout` has passed."""
    deadline = clock() + timeout.total_seconds()
    step = FIRST_PAUSE_S
    while (seen := look()) is None:
        left = deadline - clock()
        if left <= 0:
            return None
        pause(min(step, left))
        step = min(2 * step, LONGEST_PAUSE_S)
    return seen
