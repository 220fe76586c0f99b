"""Coalesced reads: keys that several threads ask for while a read runs are read together by the next read."""

import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from math import inf
from operator import attrgetter
from typing import Generic, TypeVar

from django.db import OperationalError

from orchestration.db import deadline
from orchestration.db.connections import return_connections

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


PATIENCE = 20.0
"""Seconds that a thread waits while another reads. Longer than one read of a database that does not answer."""


class SharedReadTimedOut(OperationalError):
    """Another thread reads for all and has not finished in time. Its database may be silent."""


class CoalescedReads(Generic[K, V]):
    """Reads values by key for several threads. One of the waiting threads reads for all that wait at that time.

    `read` may hold one database connection at a time, and must return it at the end (`connections.borrowed`).

    An answer is as fresh as a thread's own read: each read begins after its keys were asked for, and no value is
    cached. When a read for several threads fails, each thread reads alone, so that no thread fails because of
    another's keys.
    """

    def __init__(self, read: Callable[[Collection[K]], Mapping[K, V]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._waiting: list[_Question[K, V]] = []
        self._is_reading = False

    def ask(self, keys: Iterable[K]) -> dict[K, V]:
        """Return the values of those keys that have one.

        A thread that waits here holds no database connection: the reading thread may need it.

        :raises SharedReadTimedOut: when another thread reads and has not finished in time.
        :raises Exception: what `read` raises for these keys.
        """
        return_connections()
        question: _Question[K, V] = _Question(frozenset(keys))
        with self._lock:
            self._waiting.append(question)
            leads = not self._is_reading
            self._is_reading = True
        if not leads:
            self._await_turn(question)
        if not question.is_over:
            self._answer_all()
        found = self._read(question.keys) if question.found is None else question.found
        return {key: found[key] for key in question.keys if key in found}

    def _await_turn(self, question: "_Question[K, V]") -> None:
        """Wait until the question is answered, or until it is this thread's turn to read for all waiting threads."""
        if question.turn.acquire(timeout=deadline.left(PATIENCE)):
            return
        with self._lock:
            # If the turn came at the last moment, waiting threads depend on this one.
            if question.turn.acquire(blocking=False):
                return
            if question in self._waiting:
                self._waiting.remove(question)
        raise SharedReadTimedOut(SharedReadTimedOut.__doc__)

    def _answer_all(self) -> None:
        """Answer all waiting questions, also this thread's. Then give the turn to a thread that came meanwhile.

        That is the thread with the most time left: when a shared read runs out of time, each thread repeats it alone.
        """
        with self._lock:
            questions, self._waiting = self._waiting, []
        try:
            found = self._read(frozenset().union(*(question.keys for question in questions)))
            for question in questions:
                question.found = found
        except Exception:
            if len(questions) == 1:
                raise
        finally:
            self._let_go(questions)

    def _let_go(self, questions: "list[_Question[K, V]]") -> None:
        for question in questions:
            question.is_over = True
            question.turn.release()
        with self._lock:
            if self._waiting:
                max(self._waiting, key=attrgetter("until")).turn.release()
            else:
                self._is_reading = False


class _Question(Generic[K, V]):
    """The keys of one thread. `turn` is released when the question is over, or when this thread is to read for all.

    When it is over without `found`, the thread reads alone.
    """

    def __init__(self, keys: frozenset[K]) -> None:
        self.keys = keys
        self.until = time.monotonic() + deadline.left(inf)
        self.turn = threading.Semaphore(0)
        self.is_over = False
        self.found: Mapping[K, V] | None = None
