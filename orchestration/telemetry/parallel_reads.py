"""Questions to several servers, asked at the same time; a server that does not answer delays no client for long."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import timedelta
from typing import Generic, TypeVar

from django.db import connections

T = TypeVar("T")

REMEMBERED_FOR = timedelta(minutes=1)
"""After so long without a question, an answer says nothing about now."""


class SourceSilent(Exception):
    """Nothing was heard in time."""


class SideBySide(Generic[T]):
    """Asks every question in a thread of its own, waits for `patience` in all, and keeps the answers for `kept_for`.

    A question that has not come back is not asked again: what hangs is one thread for each question, however many
    want to know.

    A client that asks at least once in `REMEMBERED_FOR` waits at most `answered_within`, if given. It then gets the
    previous answer to a question that has been under way for less than `patience`.
    """

    def __init__(
        self,
        questions: Mapping[str, Callable[[], T]],
        *,
        patience: timedelta,
        kept_for: timedelta,
        answered_within: timedelta | None = None,
    ) -> None:
        self._questions, self._patience, self._kept_for, self._answered_within = (
            questions,
            patience,
            kept_for,
            answered_within,
        )
        self._under_way: dict[str, Future[T]] = {}
        self._begun_at: dict[str, float] = {}
        self._answers: Mapping[str, T | Exception] = {}
        self._asked_at = float("-inf")  # monotonic seconds
        self._lock = threading.Lock()

    def answers(self) -> Mapping[str, T | Exception]:
        """What each question came to; an exception where it failed, or where nothing was heard in time."""
        with self._lock:
            if time.monotonic() - self._asked_at > self._kept_for.total_seconds():
                self._answers = self._ask()
                self._asked_at = time.monotonic()
            return self._answers

    def _ask(self) -> dict[str, T | Exception]:
        for name, question in self._questions.items():
            if name not in self._under_way:
                self._under_way[name] = _answer_to(question, name)
                self._begun_at[name] = time.monotonic()
        wait = self._answered_within if self._answered_within and self._remembers() else self._patience
        until = time.monotonic() + wait.total_seconds()
        return {name: self._await(name, until) for name in self._questions}

    def _remembers(self) -> bool:
        return time.monotonic() - self._asked_at <= REMEMBERED_FOR.total_seconds()

    def _await(self, name: str, until: float) -> T | Exception:
        try:
            error = self._under_way[name].exception(max(0.0, until - time.monotonic()))
        except TimeoutError:
            if time.monotonic() - self._begun_at[name] < self._patience.total_seconds():
                return self._answers[name]
            return SourceSilent(f"no answer within {self._patience.total_seconds():g} s")
        future = self._under_way.pop(name)
        return error if isinstance(error, Exception) else future.result()


def _answer_to(question: Callable[[], T], name: str) -> Future[T]:
    future: Future[T] = Future()
    threading.Thread(target=_answer, args=(question, future), name=f"asking {name}", daemon=True).start()
    return future


def _answer(question: Callable[[], T], future: Future[T]) -> None:
    try:
        answer = question()
    except Exception as error:  # whatever it is, it is what was heard
        future.set_exception(error)
    else:
        future.set_result(answer)
    finally:
        connections.close_all()
