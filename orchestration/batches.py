"""Work in batches that form by themselves: what comes while one runs makes the next, and nobody waits for a timer."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

Thunk = Callable[[], None]
Turn = Callable[[], Thunk | None]
"""A piece of work; what it returns is still to be done, and holds up nobody who waits for a turn."""
Start = Callable[[Turn], None]
"""Has a turn taken soon: in another thread, or at once."""

AT_MOST = 64


@dataclass(frozen=True)
class Room:
    """Where work can be had done: batches on one side, and on the other what takes its time, such as calls."""

    batches: Start
    calls: Start


logger = logging.getLogger(__name__)


def at_once(turn: Turn) -> None:
    """A `Start` for who needs no other thread."""
    if remains := turn():
        remains()


ALONE = Room(at_once, at_once)
"""Where everything is done at once."""


class Turns:
    """A `Start` that has few turns taken at a time, first come first served, in threads that `spawn` gives.

    Fewer than there are threads: a batch that waits for its turn grows, and larger batches are less work.
    """

    def __init__(self, spawn: Callable[[Thunk], None], at_a_time: int) -> None:
        self._spawn, self._free = spawn, at_a_time
        self._waiting: deque[Turn] = deque()
        self._lock = threading.Lock()

    def __call__(self, turn: Turn) -> None:
        with self._lock:
            self._waiting.append(turn)
            if not self._free:
                return
            self._free -= 1
        self._spawn(self._serve)

    def _serve(self) -> None:
        while turn := self._next():
            remains = turn()
            if remains is None:
                continue
            with self._lock:
                goes_on = bool(self._waiting)
                self._free += not goes_on
            if goes_on:
                self._spawn(self._serve)
            remains()
            return

    def _next(self) -> Turn | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._free += 1
            return None


class Batches(Generic[T]):
    """Hands what is put in to `run`, in batches of up to `at_most`, in order, one at a time.

    `run` may return what remains to be done with its batch; the next batch does not wait for that. What `run` raises is
    logged: it must lose nothing.
    """

    def __init__(self, run: Callable[[list[T]], Thunk | None], start: Start, *, at_most: int = AT_MOST) -> None:
        self._run, self._start, self._at_most = run, start, at_most
        self._waiting: deque[T] = deque()
        self._runs = False
        self._lock = threading.Lock()

    def put(self, items: Iterable[T]) -> None:
        """Have the items run, soon."""
        with self._lock:
            self._waiting.extend(items)
            starts = not self._runs and bool(self._waiting)
            self._runs = self._runs or starts
        if starts:
            self._start(self._turn)

    def _turn(self) -> Thunk | None:
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


class Lanes(Generic[T]):
    """Does things one after the other in the thread that brings them, and side by side once they take their time."""

    QUICK = 0.002  # seconds

    def __init__(self, do: Callable[[T], None], start: Start, lanes: int) -> None:
        self._do, self._start, self._free = do, start, lanes
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
                self._drain(here=True)
            else:
                self._start(self._drain)

    def _drain(self, *, here: bool = False) -> None:
        while (item := self._next()) is not None:
            began = time.monotonic()
            self._do(item)
            self._quick = time.monotonic() - began < self.QUICK
            if here and not self._quick:  # this thread has other things to do
                with self._lock:
                    self._free += 1
                self._open()
                return

    def _next(self) -> T | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._free += 1
            return None
