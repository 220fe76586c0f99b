"""How batches form: what comes while one runs makes the next, few at a time, and nothing waits for a timer."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from orchestration.execution.batching import Batches
from orchestration.execution.call_pool import CallPool
from orchestration.execution.scheduler import Job, Scheduler, after_job, run_now


class Later:
    """A `Submit` that has turns taken when it is told to."""

    def __init__(self) -> None:
        self.jobs: list[Any] = []

    def __call__(self, job) -> None:
        self.jobs.append(job)

    def take(self) -> None:
        job = self.jobs.pop(0)
        if rest := job():
            rest()


def nobody(_: Any) -> None:
    """Whom it is told does not matter."""


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
    assert len(later.jobs) == 1
    later.take()
    later.take()

    assert ran == [[1, 2], [3, 4]]
    assert later.jobs == []


def test_no_batch_is_larger_than_the_most():
    ran = []
    Batches(ran.append, run_now, at_most=2).put(range(5))

    assert ran == [[0, 1], [2, 3], [4]]


def test_a_batch_that_breaks_off_does_not_stop_the_next():
    ran = []

    def run(batch: list[int]) -> None:
        ran.append(batch)
        raise ZeroDivisionError

    batches = Batches(run, run_now)
    batches.put([1])
    batches.put([2])

    assert ran == [[1], [2]]


def test_what_remains_of_a_batch_does_not_hold_up_the_next():
    order = []
    later = Later()
    batches = Batches(lambda batch: lambda: order.append(f"rest of {batch}"), later)
    batches.put([1])
    job = later.jobs.pop()
    rest = job()
    batches.put([2])

    assert len(later.jobs) == 1, "the next may start although something remains"
    rest()
    assert order == ["rest of [1]"]


@pytest.mark.parametrize("at_a_time", [1, 2, 3])
def test_so_many_turns_are_taken_at_a_time(at_a_time):
    running, most, lock, done = 0, 0, threading.Lock(), threading.Semaphore(0)

    def job() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        done.release()

    with ThreadPoolExecutor(8) as pool:
        scheduler = Scheduler(pool.submit, at_a_time)
        for _ in range(20):
            scheduler(Job(job))
        for _ in range(20):
            assert done.acquire(timeout=10)

    assert most == at_a_time


def test_what_remains_of_a_turn_holds_up_nobody_who_waits_for_one():
    goes_on, done = threading.Event(), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        scheduler = Scheduler(pool.submit, 1)
        scheduler(Job(lambda: lambda: goes_on.wait(10)))
        scheduler(Job(done.set))
        assert done.wait(10)
        goes_on.set()


def held(scheduler: Scheduler) -> threading.Event:
    """Have the only turn taken until the event is set."""
    goes_on, runs = threading.Event(), threading.Event()

    def hold() -> None:
        runs.set()
        goes_on.wait(10)

    scheduler(Job(hold))
    assert runs.wait(10)
    return goes_on


def test_the_largest_batch_is_next():
    order, done = [], threading.Semaphore(0)

    def job(size: int) -> Job:
        return Job(lambda: (order.append(size), done.release())[0], lambda: size)

    with ThreadPoolExecutor(2) as pool:
        scheduler = Scheduler(pool.submit, 1)
        goes_on = held(scheduler)
        for size in (1, 3, 2):
            scheduler(job(size))
        goes_on.set()
        assert all(done.acquire(timeout=10) for _ in range(3))

    assert order == [3, 2, 1]


def test_what_overtakes_goes_before_larger_batches():
    order, done = [], threading.Semaphore(0)

    def run(name: str) -> None:
        order.append(name)
        done.release()

    with ThreadPoolExecutor(2) as pool:
        scheduler = Scheduler(pool.submit, 1)
        goes_on = held(scheduler)
        Batches[int](lambda _: run("actions"), scheduler).put(range(9))
        Batches[int](lambda _: run("compensation"), scheduler, has_priority=True).put([1])
        goes_on.set()
        assert all(done.acquire(timeout=10) for _ in range(2))

    assert order == ["compensation", "actions"]


def test_where_all_have_lost_patience_every_other_turn_is_of_what_overtakes(monkeypatch):
    monkeypatch.setattr(Scheduler, "PATIENCE", -1.0)
    order, done = [], threading.Semaphore(0)

    def job(name: str) -> Job:
        return Job(lambda: (order.append(name), done.release())[0], has_priority=name.startswith("compensation"))

    names = ["action 1", "action 2", "compensation 1", "compensation 2", "compensation 3"]
    with ThreadPoolExecutor(2) as pool:
        scheduler = Scheduler(pool.submit, 1)
        goes_on = held(scheduler)
        for name in names:
            scheduler(job(name))
        goes_on.set()
        assert all(done.acquire(timeout=10) for _ in names)

    assert order == ["compensation 1", "action 1", "compensation 2", "action 2", "compensation 3"]


def test_a_small_batch_loses_patience(monkeypatch):
    monkeypatch.setattr(Scheduler, "PATIENCE", -1.0)
    order, done = [], threading.Semaphore(0)
    with ThreadPoolExecutor(2) as pool:
        scheduler = Scheduler(pool.submit, 1)
        goes_on = held(scheduler)
        for size in (1, 9):
            scheduler(Job(lambda size=size: (order.append(size), done.release())[0], lambda size=size: size))
        goes_on.set()
        assert all(done.acquire(timeout=10) for _ in range(2))

    assert order == [1, 9]


def test_who_has_had_a_turn_takes_the_next_without_another_thread():
    threads, spawned, done = [], [], threading.Semaphore(0)

    def job() -> None:
        threads.append(threading.get_ident())
        done.release()

    with ThreadPoolExecutor(4) as pool:
        scheduler = Scheduler(lambda thunk: (spawned.append(1), pool.submit(thunk))[0], 2)
        for _ in range(5):
            scheduler(Job(job))
            assert done.acquire(timeout=10)
            deadline = time.monotonic() + 10
            while not scheduler._slots and time.monotonic() < deadline:
                time.sleep(0.001)

    assert (len(set(threads)), len(spawned)) == (1, 1)


def test_what_follows_a_turn_is_done_when_the_next_may_have_its_turn():
    order, done = [], threading.Event()

    def first() -> None:
        after_job(follow)
        order.append("first")

    def follow() -> None:
        done.wait(10)
        order.append("what follows")

    def second() -> None:
        order.append("second")
        done.set()

    with ThreadPoolExecutor(2) as pool:
        scheduler = Scheduler(pool.submit, 1)
        scheduler(Job(first))
        scheduler(Job(second))
        assert done.wait(10)

    assert order == ["first", "second", "what follows"]


def test_outside_of_turns_nothing_is_put_off():
    done = []
    after_job(lambda: done.append(1))
    assert done == [1]


def test_replies_of_quick_things_are_reported_together():
    reported = []
    with ThreadPoolExecutor(4) as pool:
        calls = CallPool(lambda item: item, reported.append, pool.submit, size=1)
        calls._quick = True
        calls.put([1, 2, 3])

    assert reported == [[1, 2, 3]]


def test_what_is_quick_is_done_by_who_brings_it():
    threads = set()
    with ThreadPoolExecutor(4) as pool:
        calls = CallPool(lambda _: threads.add(threading.get_ident()), nobody, pool.submit, size=4)
        calls.put([0])
        threads.clear()
        calls.put(range(50))

    assert threads == {threading.get_ident()}


def test_slow_calls_run_side_by_side_up_to_the_size():
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
        CallPool(take_long, nobody, Scheduler(pool.submit, 8), size=3).put(range(12))
        for _ in range(12):
            assert done.acquire(timeout=10)

    assert most == 3


def test_who_brings_what_turns_out_slow_leaves_it_to_others(monkeypatch):
    clock = threading.local()
    monkeypatch.setattr(
        "orchestration.execution.call_pool.time", SimpleNamespace(monotonic=lambda: getattr(clock, "now", 0.0))
    )
    threads: list[int] = []
    done = threading.Semaphore(0)

    def do(seconds: float) -> float:
        clock.now = getattr(clock, "now", 0.0) + seconds
        threads.append(threading.get_ident())
        return seconds

    def tell(results: list[float]) -> None:
        done.release(len(results))

    with ThreadPoolExecutor(4) as pool:
        calls = CallPool(do, tell, pool.submit, size=4)
        calls.put([0])
        assert done.acquire(timeout=10)
        calls.put([0, 1, 1, 1])
        for _ in range(4):
            assert done.acquire(timeout=10)

    assert threads.count(threading.get_ident()) == 2
