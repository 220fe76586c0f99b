"""Turns under strain: what raises, what lasts and what never ends costs nobody else their turn."""

import random
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from orchestration.execution.batching import Batches
from orchestration.execution.call_pool import CallPool
from orchestration.execution.scheduler import Job, Scheduler, after_job


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def break_off() -> None:
    raise ZeroDivisionError


def gets_a_turn(scheduler: Scheduler) -> bool:
    """Whether who asks for one now has it soon."""
    has_it = threading.Event()
    scheduler(Job(has_it.set))
    return has_it.wait(2)


def test_a_turn_that_raises_is_over(pool):
    scheduler = Scheduler(pool.submit, 1)
    scheduler(Job(break_off))

    assert gets_a_turn(scheduler)


def test_what_raises_after_a_turn_does_not_keep_the_rest_from_following(pool):
    followed = threading.Event()

    def job() -> None:
        after_job(break_off)
        after_job(followed.set)

    scheduler = Scheduler(pool.submit, 1)
    scheduler(Job(job))

    assert followed.wait(2)
    assert gets_a_turn(scheduler)


def test_the_next_turn_of_a_thread_is_taken_although_something_before_it_raises(pool):
    taken = threading.Event()

    def job() -> None:
        after_job(lambda: scheduler(Job(taken.set)))
        after_job(break_off)

    scheduler = Scheduler(pool.submit, 1)
    scheduler(Job(job))

    assert taken.wait(2)
    assert gets_a_turn(scheduler)


def test_a_thread_that_is_to_take_the_next_turn_does_not_keep_it_waiting_while_something_else_follows(pool):
    goes_on, taken = threading.Event(), threading.Event()

    def job() -> None:
        after_job(lambda: scheduler(Job(taken.set)))
        after_job(lambda: goes_on.wait(10))

    scheduler = Scheduler(pool.submit, 1)
    scheduler(Job(job))
    try:
        assert taken.wait(2)
    finally:
        goes_on.set()


def test_where_no_thread_can_be_had_no_turn_is_lost():
    """As when the pool is closing: what another thread would take is then taken in the middle of this one's."""
    taken = []

    def another() -> None:
        taken.append("another's")
        after_job(lambda: None)

    def job() -> None:
        after_job(lambda: scheduler(Job(lambda: taken.append("the thread's own"))))
        after_job(lambda: scheduler(Job(another)))

    scheduler = Scheduler(lambda thunk: thunk(), 2)
    scheduler(Job(job))

    assert sorted(taken) == ["another's", "the thread's own"]


def test_two_kinds_of_turns_in_one_thread_do_not_wait_for_each_other_to_leave_it():
    done = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        calls, batches = Scheduler(pool.submit, 1, stay=False), Scheduler(pool.submit, 1, stay=False)
        began = time.monotonic()
        calls(Job(lambda: batches(Job(done.set))))
        assert done.wait(10)
        took = time.monotonic() - began

    assert took < Scheduler.SLOT_TIMEOUT / 2


def test_job_kept_for_a_thread_is_run_although_another_job_runs_inside_it():
    first, second = (Scheduler(lambda thunk: thunk(), 1) for _ in range(2))
    ran: list[str] = []

    def last() -> None:
        first(Job(partial(ran.append, "kept")))
        second(Job(partial(ran.append, "inside")))

    first(Job(partial(after_job, last)))

    assert ran == ["inside", "kept"]


def test_a_thread_whose_call_raised_is_free_for_the_next(pool):
    done = threading.Event()
    calls: CallPool[int, None] = CallPool(
        lambda item: break_off() if item == 0 else done.set(), print, pool.submit, size=1
    )
    calls.put([0])
    time.sleep(0.05)
    calls.put([1])

    assert done.wait(2)


def test_what_follows_one_call_does_not_wait_until_the_pool_is_empty(pool):
    reported, enough = threading.Event(), threading.Event()

    def call(number: int) -> None:
        time.sleep(0.005)
        if number == 0:
            after_job(reported.set)  # as a call that failed has its failure reported
        elif not enough.is_set():
            calls.put([number + 1])

    calls: CallPool[int, None] = CallPool(call, print, Scheduler(pool.submit, 1), size=1)
    calls.put([0, 1])
    try:
        assert reported.wait(2)
    finally:
        enough.set()


@pytest.mark.parametrize("size", [1, 3])
def test_a_call_that_overtakes_does_not_wait_for_a_backlog_of_others(pool, size):
    """As a refund does, while a gateway that takes its time has payments to authorise."""
    called: list[str] = []
    began, refunded = threading.Event(), threading.Event()

    def authorise(number: int) -> None:
        began.set()
        time.sleep(2 * CallPool.JOB_LASTS)
        called.append(f"authorise {number}")

    def refund(_: int) -> None:
        called.append("refund")
        refunded.set()

    scheduler = Scheduler(pool.submit, 1)
    CallPool(authorise, print, scheduler, size=size).put(range(30))
    assert began.wait(2)
    CallPool(refund, print, scheduler, size=1, has_priority=True).put([0])

    assert refunded.wait(5)
    assert called.index("refund") <= 2, called


def test_calls_finish_while_the_pool_closes_and_none_runs_within_another():
    """As when a worker is told to stop: no thread can be had then, and all calls are made where one is."""
    pool, depths, done = ThreadPoolExecutor(8), [], threading.Event()

    def spawn(thunk) -> None:
        try:
            pool.submit(thunk)
        except RuntimeError:
            thunk()

    def call(number: int) -> None:
        depths.append(len(traceback.extract_stack()))
        time.sleep(1.1 * CallPool.JOB_LASTS)
        if number == 19:
            done.set()

    scheduler = Scheduler(spawn, 4)
    calls = CallPool(call, print, scheduler, size=1)
    calls.put(range(20))
    pool.shutdown(wait=False)

    assert done.wait(10)
    pool.shutdown()
    assert len(depths) == 20
    assert max(depths) == min(depths)
    assert (scheduler._free, scheduler._waiting, calls._free) == (4, {}, 1)


def test_whatever_happens_when_every_item_is_run_once_and_every_turn_given_back():
    rng, steps, sagas = random.Random(7), 4, 300
    seen: list[tuple[int, int]] = []
    lock = threading.Lock()

    def run(at: int, batch: list[tuple[int, int]]):
        with lock:
            seen.extend(batch)
            pause, rest, later = rng.random() * 0.003, rng.random() < 0.3, rng.random() < 0.5
        for saga, left in batch:
            if left and later:
                after_job(partial(strategies[(at + 1) % 5].put, [(saga, left - 1)]))
            elif left:
                strategies[(at + 1) % 5].put([(saga, left - 1)])
        return (lambda: time.sleep(pause)) if rest else None

    with ThreadPoolExecutor(16) as pool:
        scheduler = Scheduler(pool.submit, 2)
        scheduler.SLOT_TIMEOUT = 0.002
        strategies = [Batches(lambda batch, at=at: run(at, batch), scheduler, at_most=4) for at in range(5)]
        for saga in range(sagas):
            strategies[saga % 5].put([(saga, steps)])
        until = time.monotonic() + 10
        while (len(seen) < sagas * (steps + 1) or scheduler._free < 2 or scheduler._slots) and time.monotonic() < until:
            time.sleep(0.005)

    assert sorted(seen) == [(saga, left) for saga in range(sagas) for left in range(steps + 1)]
    assert (scheduler._free, scheduler._slots, scheduler._waiting) == (2, [], {})
