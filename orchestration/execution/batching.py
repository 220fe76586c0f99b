"""Coalesces items into batches: items that arrive while a batch runs form the next batch. No timer is used."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from orchestration.execution.scheduler import Job, Submit, Thunk

T = TypeVar("T")

AT_MOST = 64

logger = logging.getLogger(__name__)


class Batches(Generic[T]):
    """Runs items in batches of up to `at_most`, in order, one batch at a time.

    `run` may return deferred work on its batch. The next batch does not wait for it. An exception of `run` is only
    logged, so `run` must handle its items itself. Batches with priority run before others.
    """

    def __init__(
        self,
        run: Callable[[list[T]], Thunk | None],
        submit: Submit,
        *,
        at_most: int = AT_MOST,
        has_priority: bool = False,
    ) -> None:
        self._run, self._submit, self._at_most = run, submit, at_most
        self._waiting: deque[T] = deque()
        self._runs = False
        self._job = Job(self._run_next, lambda: len(self._waiting), has_priority)
        self._lock = threading.Lock()

    def put(self, items: Iterable[T]) -> None:
        """Add items, and start a batch if none is running."""
        with self._lock:
            self._waiting.extend(items)
            starts = not self._runs and bool(self._waiting)
            self._runs = self._runs or starts
        if starts:
            self._submit(self._job)

    def _run_next(self) -> Thunk | None:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._at_most))]
        rest = None
        try:
            rest = self._run(batch)
        except Exception:
            logger.exception("a batch of %s failed", len(batch))
        with self._lock:
            self._runs = bool(self._waiting)
            goes_on = self._runs
        if goes_on:
            self._submit(self._job)
        return rest
