"""Questions that several threads ask at the same time, asked once: what comes while one is asked makes the next."""

import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class AskedTogether(Generic[K, V]):
    """Reads values by key for whoever asks, in the thread of one of them, who reads for all that wait by then.

    An answer is as fresh as if each had asked alone: nothing is read before it was asked for, and nothing is kept.
    """

    def __init__(self, read: Callable[[Collection[K]], Mapping[K, V]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._waiting: list[_Question[K, V]] = []
        self._is_asking = False

    def ask(self, keys: Iterable[K]) -> dict[K, V]:
        """Give the values of those keys that have one.

        :raises Exception: what `read` raises, to all for whom it read.
        """
        question: _Question[K, V] = _Question(frozenset(keys))
        with self._lock:
            self._waiting.append(question)
            leads = not self._is_asking
            self._is_asking = True
        if leads:
            self._answer_all()
        else:
            question.turn.acquire()
            if not question.is_answered:
                self._answer_all()
        return question.answer()

    def _answer_all(self) -> None:
        """Answer all that wait, this thread's among them, then let the first of those that have come lead."""
        with self._lock:
            questions, self._waiting = self._waiting, []
        try:
            self._answer(questions)
        finally:
            with self._lock:
                if self._waiting:
                    self._waiting[0].turn.release()
                else:
                    self._is_asking = False

    def _answer(self, questions: "list[_Question[K, V]]") -> None:
        found: Mapping[K, V] = {}
        error: BaseException | None = None
        try:
            found = self._read(frozenset().union(*(question.keys for question in questions)))
        except BaseException as raised:
            error = raised
        for question in questions:
            question.found, question.error, question.is_answered = found, error, True
            question.turn.release()


class _Question(Generic[K, V]):
    """What one thread asks; its `turn` comes when it is answered, or is to lead."""

    def __init__(self, keys: frozenset[K]) -> None:
        self.keys = keys
        self.turn = threading.Lock()
        self.turn.acquire()
        self.found: Mapping[K, V] = {}
        self.error: BaseException | None = None
        self.is_answered = False

    def answer(self) -> dict[K, V]:
        if self.error is not None:
            raise self.error
        return {key: self.found[key] for key in self.keys if key in self.found}
