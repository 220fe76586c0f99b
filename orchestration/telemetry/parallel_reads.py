"""Reads several servers at the same time. A server that does not answer delays no client for long."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import timedelta
from typing import Generic, TypeVar

from django.db import connections

T = TypeVar("T")

REMEMBERED_FOR = timedelta(minutes=1)
"""The previous answer is not used after this time without a client: it is out of date."""


class SourceSilent(Exception):
    """The server did not answer in time."""


class ParallelReads(Generic[T]):
    """Runs every question in its own thread, waits for `patience` in total, and keeps the answers for `kept_for`.

    A question that has no answer yet is not asked again. So at most one thread for each question hangs, however many
    clients there are.

    A client that asks at least once in `REMEMBERED_FOR` waits at most `answered_within`, if given. For a question that
    has run for less than `patience` it then gets the previous answer.
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
        """Return the answer to each question, or the exception if it failed or did not answer in time."""
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
    except Exception as error:  # any exception is the answer to this question
        future.set_exception(error)
    else:
        future.set_result(answer)
    finally:
        connections.close_all()
