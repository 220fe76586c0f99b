"""Runs external calls: one after the other while they are quick, in parallel when they take time."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Generic, TypeVar

from orchestration.execution.scheduler import THREAD, Job, Submit, Thunk, run_again, run_or_log

T = TypeVar("T")
R = TypeVar("R")


class CallPool(Generic[T, R]):
    """Runs calls one after the other in the caller's thread while they are quick, otherwise in up to `size` threads.

    A thread makes calls in short jobs, so that a backlog of calls does not block other jobs. Jobs of a pool with
    priority run before others. `report` gets the results: one at a time from threads, all together from the caller's
    thread. A call that returns None has no result.
    """

    QUICK = 0.002  # seconds
    JOB_LASTS = 0.01  # seconds after which a job makes no further call

    def __init__(
        self,
        call: Callable[[T], R | None],
        report: Callable[[list[R]], None],
        submit: Submit,
        size: int,
        *,
        has_priority: bool = False,
    ) -> None:
        self._call, self._report, self._submit, self._free = call, report, submit, size
        self._has_priority = has_priority
        self._waiting: deque[T] = deque()
        self._quick = False  # until a call was quick
        self._lock = threading.Lock()

    def put(self, items: Iterable[T]) -> None:
        """Add items. Return when their calls are made, or when jobs for them are submitted."""
        with self._lock:
            self._waiting.extend(items)
        self._start()

    def _start(self) -> None:
        with self._lock:
            here = self._quick
            threads = min(self._free, 1 if here else len(self._waiting))
            self._free -= threads
        for _ in range(threads):
            if here:
                self._drain_here()
            else:
                self._submit(Job(self._drain, has_priority=self._has_priority))

    def _drain(self) -> Thunk | None:
        until = time.monotonic() + self.JOB_LASTS
        while (item := self._next()) is not None:
            _, deferred = THREAD.run_and_collect(partial(self._call_and_report, item))
            for each in deferred:  # now, not after the whole job
                run_or_log(each)
            if time.monotonic() > until:
                return run_again if self._has_more() else None
        return None

    def _call_and_report(self, item: T) -> None:
        if results := self._timed(item):
            self._report(results)

    def _drain_here(self) -> None:
        results: list[R] = []
        while (item := self._next()) is not None:
            results += run_or_log(partial(self._timed, item)) or []
            if not self._quick:  # leave the rest to other threads, because the caller must not wait
                with self._lock:
                    self._free += 1
                self._start()
                break
        if results:
            self._report(results)

    def _timed(self, item: T) -> list[R]:
        began = time.monotonic()
        try:
            result = self._call(item)
        finally:
            self._quick = time.monotonic() - began < self.QUICK
        return [] if result is None else [result]

    def _has_more(self) -> bool:
        """Return whether items wait. If none do, count this thread as free."""
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
