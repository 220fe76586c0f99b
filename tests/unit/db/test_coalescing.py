"""Threads that ask at the same time are answered at once."""

import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from math import inf

import pytest

from orchestration.db import deadline
from orchestration.db.coalescing import CoalescedReads, SharedReadTimedOut
from tests.support.wait import wait_for


class Slow:
    """A reader that lets nobody go before it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[set[int]] = []
        self.go_on = threading.Event()

    def __call__(self, keys: Collection[int]) -> dict[int, str]:
        self.asked.append(set(keys))
        assert self.go_on.wait(10)
        if 13 in keys:
            raise LookupError("unlucky")
        return {key: str(key) for key in keys if key > 0}


def test_what_comes_while_one_is_asked_is_asked_together() -> None:
    slow = Slow()
    together = CoalescedReads(slow)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(together.ask, [1])
        wait_for(lambda: slow.asked)
        others = [pool.submit(together.ask, keys) for keys in ([2], [2, 3], [-1], [4])]
        wait_for(lambda: len(together._waiting) == 4)
        slow.go_on.set()
        assert first.result() == {1: "1"}
        assert [other.result() for other in others] == [{2: "2"}, {2: "2", 3: "3"}, {}, {4: "4"}]
    assert slow.asked == [{1}, {2, 3, -1, 4}]


def test_what_is_asked_again_is_read_again() -> None:
    slow = Slow()
    slow.go_on.set()
    together = CoalescedReads(slow)
    together.ask([1])
    together.ask([1])
    assert slow.asked == [{1}, {1}]


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_question_that_cannot_be_answered_spoils_no_other(bad: int) -> None:
    slow = Slow()
    together = CoalescedReads(slow)
    questions = [[1], [2], [3]]
    questions[bad] = [13]
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(together.ask, questions[0])
        wait_for(lambda: slow.asked)
        asked = [first, *(pool.submit(together.ask, question) for question in questions[1:])]
        wait_for(lambda: len(together._waiting) == 2)
        slow.go_on.set()
        for number, (question, answer) in enumerate(zip(questions, asked, strict=True)):
            if number == bad:
                with pytest.raises(LookupError):
                    answer.result()
            else:
                assert answer.result() == {question[0]: str(question[0])}
    assert together.ask([2]) == {2: "2"}


def test_who_waits_for_a_reader_that_does_not_come_back_gives_up_and_holds_up_nobody() -> None:
    slow = Slow()
    together = CoalescedReads(slow)

    def in_a_hurry() -> dict[int, str]:
        with deadline.within(0.2):
            return together.ask([2])

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(together.ask, [1])
        wait_for(lambda: slow.asked)
        with pytest.raises(SharedReadTimedOut):
            pool.submit(in_a_hurry).result(10)
        patient = pool.submit(together.ask, [3])
        wait_for(lambda: len(together._waiting) == 1)
        slow.go_on.set()
        assert (first.result(), patient.result()) == ({1: "1"}, {3: "3"})
    assert slow.asked == [{1}, {3}]
    assert together.ask([4]) == {4: "4"}


def test_the_thread_with_the_most_time_left_reads_for_all() -> None:
    slow, left = Slow(), list[float]()

    def read(keys: Collection[int]) -> dict[int, str]:
        left.append(deadline.left(inf))
        return slow(keys)

    together = CoalescedReads(read)

    def ask(key: int, seconds: float) -> dict[int, str]:
        with deadline.within(seconds):
            return together.ask([key])

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask, 1, 60)
        wait_for(lambda: slow.asked)
        others = []
        for key, seconds in enumerate([10, 60, 20], start=2):
            others.append(pool.submit(ask, key, seconds))
            wait_for(lambda: len(together._waiting) == len(others))
        slow.go_on.set()
        assert [each.result() for each in (first, *others)] == [{1: "1"}, {2: "2"}, {3: "3"}, {4: "4"}]
    assert slow.asked == [{1}, {2, 3, 4}]
    assert left[1] > 30
