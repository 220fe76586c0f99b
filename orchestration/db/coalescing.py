"""Coalesced reads: what several threads ask while one read runs is read together by the next."""

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
"""Seconds that a thread waits while another reads: longer than one read of a database that does not answer."""


class SharedReadTimedOut(OperationalError):
    """Another thread reads for all and has not finished in time. Its database may be silent."""


class CoalescedReads(Generic[K, V]):
    """Reads values by key for whoever asks, in the thread of one of them, who reads for all that wait by then.

    `read` is to hold one database connection at a time at the most, and none in the end (`connections.borrowed`).

    An answer is as fresh as if each had asked alone: nothing is read before it was asked for, and nothing is kept. When
    reading for several fails, each reads alone, so that nobody suffers from another's question.
    """

    def __init__(self, read: Callable[[Collection[K]], Mapping[K, V]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._waiting: list[_Question[K, V]] = []
        self._is_reading = False

    def ask(self, keys: Iterable[K]) -> dict[K, V]:
        """Give the values of those keys that have one; raises what `read` raises for them.

        Who waits here holds no database connection: the one who reads for all may need it.

        :raises SharedReadTimedOut: when another thread reads, and has not come back in time.
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
        """Wait until the question is over, or this thread is to read for all that wait by then."""
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
        """Answer all that wait, this thread's among them; then one of those that have come reads for all.

        It is the one with the most time left: a read for all that fails for lack of time is repeated by each alone.
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
    """What one thread asks; its `turn` comes when it is over, or is to lead. Without `found`, it reads alone."""

    def __init__(self, keys: frozenset[K]) -> None:
        self.keys = keys
        self.until = time.monotonic() + deadline.left(inf)
        self.turn = threading.Semaphore(0)
        self.is_over = False
        self.found: Mapping[K, V] | None = None
