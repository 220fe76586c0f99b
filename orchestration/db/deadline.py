"""How long a thread may still wait for servers: with a deadline, until then; without one, what each wait allows."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from math import inf

_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)  # monotonic seconds


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bound the waits of this thread in the block to `seconds` in all, and to what is left of an outer bound."""
    with _until(time.monotonic() + left(seconds)):
        yield


@contextmanager
def separate_bound(seconds: float) -> Iterator[None]:
    """Bound the waits of this thread in the block to `seconds` in all, at no cost to an outer bound.

    After the block there is as much left of the outer bound as before.
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
    """Bound the block to half of the time left, and keep the other half for what follows."""
    with within(left(inf) / 2) if is_set() else nullcontext():
        yield


def left(limit: float) -> float:
    """Give the seconds that this thread may wait: `limit`, or less when its bound ends sooner; never below 0."""
    ends_at = _ends_at.get()
    return limit if ends_at is None else max(0.0, min(limit, ends_at - time.monotonic()))


def is_set() -> bool:
    """Tell whether the waits of this thread are bounded."""
    return _ends_at.get() is not None


@contextmanager
def _until(moment: float) -> Iterator[None]:
    outer = _ends_at.set(moment)
    try:
        yield
    finally:
        _ends_at.reset(outer)
