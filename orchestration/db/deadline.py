"""A thread's deadline for its waits for servers. Without a deadline, each wait has its own limit."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from math import inf

_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)  # monotonic seconds


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bound the waits of this thread in the block to `seconds` in total, and to the rest of an outer bound."""
    with _until(time.monotonic() + left(seconds)):
        yield


@contextmanager
def separate_bound(seconds: float) -> Iterator[None]:
    """Bound the waits of this thread in the block to `seconds` in total, without using up an outer bound.

    After the block, the outer bound has as much time left as before.
    """
    outer, began = _ends_at.get(), time.monotonic()
    try:
        with _until(began + seconds):
            yield
    finally:
        if outer is not None:
            _ends_at.set(outer + time.monotonic() - began)


@contextmanager
def half_of_the_rest() -> Iterator[None]:
    """Bound the block to half of the time left, so that the other half remains for later waits."""
    with within(left(inf) / 2) if is_set() else nullcontext():
        yield


def left(limit: float) -> float:
    """Return the seconds that this thread may wait: `limit`, or less when its bound ends sooner; never below 0."""
    ends_at = _ends_at.get()
    return limit if ends_at is None else max(0.0, min(limit, ends_at - time.monotonic()))


def is_set() -> bool:
    """Return whether the waits of this thread are bounded."""
    return _ends_at.get() is not None


@contextmanager
def _until(moment: float) -> Iterator[None]:
    outer = _ends_at.set(moment)
    try:
        yield
    finally:
        _ends_at.reset(outer)
