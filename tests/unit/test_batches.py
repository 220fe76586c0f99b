"""How batches form: what comes while one runs makes the next, few at a time, and nothing waits for a timer."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orchestration.batches import Batches, Lanes, Turns, at_once


class Later:
    """A `Start` that has turns taken when it is told to."""

    def __init__(self) -> None:
        self.turns: list[Any] = []

    def __call__(self, turn) -> None:
        self.turns.append(turn)

    def take(self) -> None:
        turn = self.turns.pop(0)
        if remains := turn():
            remains()


def test_what_is_there_runs_together_and_what_comes_meanwhile_makes_the_next_batch():
    later, ran = Later(), []

    def run(batch: list[int]) -> None:
        ran.append(batch)
        if batch == [1, 2]:
            batches.put([3])
            batches.put([4])

    batches = Batches(run, later)
    batches.put([1])
    batches.put([2])
    assert len(later.turns) == 1
    later.take()
    later.take()

    assert ran == [[1, 2], [3, 4]]
    assert later.turns == []


def test_no_batch_is_larger_than_the_most():
    ran = []
    Batches(ran.append, at_once, at_most=2).put(range(5))

    assert ran == [[0, 1], [2, 3], [4]]


def test_a_batch_that_breaks_off_does_not_stop_the_next():
    ran = []

    def run(batch: list[int]) -> None:
        ran.append(batch)
        raise ZeroDivisionError

    batches = Batches(run, at_once)
    batches.put([1])
    batches.put([2])

    assert ran == [[1], [2]]


def test_what_remains_of_a_batch_does_not_hold_up_the_next():
    order = []
    later = Later()
    batches = Batches(lambda batch: lambda: order.append(f"rest of {batch}"), later)
    batches.put([1])
    turn = later.turns.pop()
    remains = turn()
    batches.put([2])

    assert len(later.turns) == 1, "the next may start although something remains"
    remains()
    assert order == ["rest of [1]"]


@pytest.mark.parametrize("at_a_time", [1, 2, 3])
def test_so_many_turns_are_taken_at_a_time(at_a_time):
    running, most, lock, done = 0, 0, threading.Lock(), threading.Semaphore(0)

    def turn() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        done.release()

    with ThreadPoolExecutor(8) as pool:
        turns = Turns(pool.submit, at_a_time)
        for _ in range(20):
            turns(turn)
        for _ in range(20):
            assert done.acquire(timeout=10)

    assert most == at_a_time


def test_what_remains_of_a_turn_holds_up_nobody_who_waits_for_one():
    goes_on, done = threading.Event(), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        turns = Turns(pool.submit, 1)
        turns(lambda: lambda: goes_on.wait(10))
        turns(done.set)
        assert done.wait(10)
        goes_on.set()


def test_what_is_quick_is_done_by_who_brings_it():
    threads = set()
    with ThreadPoolExecutor(4) as pool:
        lanes = Lanes(lambda _: threads.add(threading.get_ident()), pool.submit, lanes=4)
        lanes.put([0])
        threads.clear()
        lanes.put(range(50))

    assert threads == {threading.get_ident()}


def test_what_takes_its_time_is_done_side_by_side_in_so_many_lanes():
    running, most, lock, done = 0, 0, threading.Lock(), threading.Semaphore(0)

    def take_long(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        done.release()

    with ThreadPoolExecutor(8) as pool:
        Lanes(take_long, pool.submit, lanes=3).put(range(12))
        for _ in range(12):
            assert done.acquire(timeout=10)

    assert most == 3


def test_who_brings_what_turns_out_slow_leaves_it_to_others():
    threads: list[int] = []
    done = threading.Semaphore(0)

    def do(seconds: float) -> None:
        time.sleep(seconds)
        threads.append(threading.get_ident())
        done.release()

    with ThreadPoolExecutor(4) as pool:
        lanes = Lanes(do, pool.submit, lanes=4)
        lanes.put([0])
        assert done.acquire(timeout=10)
        lanes.put([0, 0.02, 0.02, 0.02])
        for _ in range(4):
            assert done.acquire(timeout=10)

    assert threads.count(threading.get_ident()) == 2
