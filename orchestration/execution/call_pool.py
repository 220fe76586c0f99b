"""Things done one after the other while they are quick, and side by side once they take their time."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Generic, TypeVar

from orchestration.execution.scheduler import HERE, Start, Thunk, Turn, again, done_or_logged

T = TypeVar("T")
R = TypeVar("R")


class CallPool(Generic[T, R]):
    """Does things one after the other in the thread that brings them, and side by side once they take their time.

    Each call thread runs short jobs, so that no backlog keeps others from running; the jobs of pools that
    `overtake` come before others'.

    What they come to is handed to `tell`, as soon as it is known or, for those done one after the other, at their end;
    None is nothing to tell.
    """

    QUICK = 0.002  # seconds
    JOB_LASTS = 0.01  # seconds, and longer only by what is under way then

    def __init__(
        self,
        do: Callable[[T], R | None],
        tell: Callable[[list[R]], None],
        start: Start,
        size: int,
        *,
        overtakes: bool = False,
    ) -> None:
        self._do, self._tell, self._start, self._free = do, tell, start, size
        self._overtakes = overtakes
        self._waiting: deque[T] = deque()
        self._quick = False  # until one was seen to be
        self._lock = threading.Lock()

    def put(self, items: Iterable[T]) -> None:
        """Have them done; come back when that is so, or when others see to it."""
        with self._lock:
            self._waiting.extend(items)
        self._open()

    def _open(self) -> None:
        with self._lock:
            here = self._quick
            opened = min(self._free, 1 if here else len(self._waiting))
            self._free -= opened
        for _ in range(opened):
            if here:
                self._drain_here()
            else:
                self._start(Turn(self._drain, overtakes=self._overtakes))

    def _drain(self) -> Thunk | None:
        until = time.monotonic() + self.JOB_LASTS
        while (item := self._next()) is not None:
            _, following = HERE.done_with_what_follows(partial(self._do_and_tell, item))
            for each in following:  # now, not after the whole turn
                done_or_logged(each)
            if time.monotonic() > until:
                return again if self._has_more() else None
        return None

    def _do_and_tell(self, item: T) -> None:
        if results := self._done(item):
            self._tell(results)

    def _drain_here(self) -> None:
        results: list[R] = []
        while (item := self._next()) is not None:
            results += done_or_logged(partial(self._done, item)) or []
            if not self._quick:  # this thread has other things to do
                with self._lock:
                    self._free += 1
                self._open()
                break
        if results:
            self._tell(results)

    def _done(self, item: T) -> list[R]:
        began = time.monotonic()
        try:
            result = self._do(item)
        finally:
            self._quick = time.monotonic() - began < self.QUICK
        return [] if result is None else [result]

    def _has_more(self) -> bool:
        """Return whether items wait; if none do, free the thread."""
        with self._lock:
            more = bool(self._waiting)
            self._free += not more
            return more

    def _next(self) -> T | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._free += 1
            return None
