"""Coalesces items into batches: items that arrive while a batch runs form the next batch. No timer is used."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from orchestration.execution.scheduler import Start, Thunk, Turn

T = TypeVar("T")

AT_MOST = 64

logger = logging.getLogger(__name__)


class Batches(Generic[T]):
    """Hands what is put in to `run`, in batches of up to `at_most`, in order, one at a time.

    `run` may return what remains to be done with its batch; the next batch does not wait for that. What `run` raises is
    logged: it must lose nothing. Those that `overtake` have their turns before others.
    """

    def __init__(
        self, run: Callable[[list[T]], Thunk | None], start: Start, *, at_most: int = AT_MOST, overtakes: bool = False
    ) -> None:
        self._run, self._start, self._at_most = run, start, at_most
        self._waiting: deque[T] = deque()
        self._runs = False
        self._turn = Turn(self._run_next, lambda: len(self._waiting), overtakes)
        self._lock = threading.Lock()

    def put(self, items: Iterable[T]) -> None:
        """Have the items run, soon."""
        with self._lock:
            self._waiting.extend(items)
            starts = not self._runs and bool(self._waiting)
            self._runs = self._runs or starts
        if starts:
            self._start(self._turn)

    def _run_next(self) -> Thunk | None:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._at_most))]
        remains = None
        try:
            remains = self._run(batch)
        except Exception:
            logger.exception("a batch of %s broke off", len(batch))
        with self._lock:
            self._runs = bool(self._waiting)
            goes_on = self._runs
        if goes_on:
            self._start(self._turn)
        return remains
