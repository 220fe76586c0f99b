"""The loops of workers: how long they wait, and what they outlive."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from orchestration.execution.periodic import run_periodically

EVERY, BUSY = timedelta(seconds=60), timedelta(seconds=1)


class Clockwork(threading.Event):
    """An event that never sleeps, and is set after so many rounds."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.left, self.waited = rounds, list[float]()

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        self.left -= 1
        return self.left < 0


def waits(rounds: list[Callable[[], object]], busy: timedelta | None = None) -> list[float]:
    clockwork, waiting = Clockwork(len(rounds)), iter(rounds)
    run_periodically(clockwork, lambda: next(waiting)(), every=EVERY, of="looking", busy=busy)
    return clockwork.waited


def test_there_is_a_wait_before_each_round():
    assert waits([lambda: None, lambda: 3]) == [60, 60, 60]


def test_the_wait_is_shorter_after_a_round_that_was_busy():
    assert waits([lambda: True, lambda: False], busy=BUSY) == [60, 1, 60]


def test_a_round_that_fails_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture):
    def fail() -> None:
        raise OSError("the server is away")

    assert waits([lambda: True, fail, lambda: True], busy=BUSY) == [60, 1, 60, 1]
    assert "a round of looking failed; the next one runs later" in caplog.text
