"""Processes and threads share one breaker through Redis."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from redis import ConnectionPool, Redis

from orchestration.participant.breaker_redis import Record, connect
from tests.integration.participant.breaker.callers import (
    DEADLINE_SECONDS,
    NOW,
    REDIS_URL,
    RESET_AFTER,
    SECOND,
    CardDeclined,
    Clock,
    MakeBreaker,
    fail,
    fail_after,
    forget,
    look_afresh,
    refused,
    succeed,
)

SPAWN = multiprocessing.get_context("spawn")


class CountingRedis(Redis):
    """A client that counts what it sends: single commands and whole pipelines."""

    sent = 0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self.sent += 1
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, *args: Any, **options: Any) -> Any:
        self.sent += 1
        return super().pipeline(*args, **options)


def test_failures_in_a_row_open_it_for_reset_after(make: MakeBreaker, name: str) -> None:
    breaker = make()
    fail(breaker, 2)
    assert breaker.state() == "closed"
    fail(breaker)
    assert breaker.state() == "open"
    error = refused(breaker)
    assert (error.name, error.until) == (name, NOW + RESET_AFTER)
    assert error.until.tzinfo is UTC
    assert breaker.open_until() == error.until


def test_success_ends_the_row(make: MakeBreaker) -> None:
    breaker = make()
    fail(breaker, 2)
    succeed(breaker)
    fail(breaker, 2)
    assert breaker.state() == "closed"


def test_answer_that_is_no_ends_the_row(make: MakeBreaker) -> None:
    breaker = make()
    fail(breaker, 2)
    with pytest.raises(CardDeclined), breaker.calling():
        raise CardDeclined
    fail(breaker, 2)
    assert breaker.state() == "closed"


def test_stopped_call_does_not_end_the_row(make: MakeBreaker) -> None:
    breaker = make()
    fail(breaker, 2)
    with pytest.raises(SystemExit), breaker.calling():
        raise SystemExit
    fail(breaker)
    assert breaker.state() == "open"


def test_failures_of_all_processes_count_together(make: MakeBreaker) -> None:
    here, there = make(), make()
    fail(here, 2)
    fail(there)
    assert here.open_until() == there.open_until() == NOW + RESET_AFTER


def test_trip_is_seen_at_once_by_threads_that_looked_just_before(name: str, clock: Clock) -> None:
    record = Record(name, redis=partial(connect, REDIS_URL), clock=clock)
    assert record.look(NOW).state(NOW) == "closed"
    record.trip(RESET_AFTER)
    assert record.look(NOW).state(NOW) == "open"


def test_straggler_does_not_put_the_reopening_off(make: MakeBreaker, clock: Clock) -> None:
    breaker, other = make(), make()

    def trip() -> None:
        fail(other, 3)
        clock.advance(10 * SECOND)

    fail_after(breaker, trip)
    assert breaker.open_until() == NOW + RESET_AFTER


def test_straggler_that_succeeds_does_not_close_it(make: MakeBreaker) -> None:
    breaker = make()
    with breaker.calling():
        fail(make(), 3)
    assert make().state() == "open"


def test_trip_elsewhere_is_noticed_within_a_second(make: MakeBreaker, clock: Clock) -> None:
    breaker = make()
    succeed(breaker)
    fail(make(), 3)
    clock.advance(SECOND)
    refused(breaker)


def test_closed_breaker_asks_redis_once_a_second_at_most(make: MakeBreaker, clock: Clock) -> None:
    redis = CountingRedis(connection_pool=ConnectionPool.from_url(REDIS_URL))
    breaker = make(redis=lambda: redis)
    for _ in range(100):
        assert breaker.open_until() is None
        succeed(breaker)
        clock.advance(timedelta(milliseconds=5))
    assert redis.sent == 1
    clock.advance(SECOND)
    succeed(breaker)
    assert redis.sent == 2


def test_forgotten_record_is_a_closed_breaker(make: MakeBreaker, clock: Clock, name: str) -> None:
    breaker = make()
    fail(breaker, 3)
    forget(name)
    clock.advance(SECOND)
    succeed(breaker)
    fail(breaker, 2)
    assert breaker.state() == "closed"


def test_operator_opens_and_closes_it_for_all(make: MakeBreaker, clock: Clock) -> None:
    breaker, other = make(), make()
    breaker.force_open()
    assert other.open_until() == NOW + RESET_AFTER
    breaker.force_open(until=NOW + timedelta(hours=1))
    clock.advance(SECOND)
    assert other.open_until() == NOW + timedelta(hours=1)
    other.close()
    succeed(other)
    clock.advance(SECOND)
    succeed(breaker)


def test_nothing_is_kept_for_ever(make: MakeBreaker, clock: Clock, name: str) -> None:
    breaker = make()
    fail(breaker, 3)
    clock.advance(RESET_AFTER)
    with breaker.calling(), connect(REDIS_URL) as redis:
        keys = list(redis.scan_iter(f"breaker:{{{name}}}:*"))
        assert len(keys) == 3
        assert all(redis.pttl(key) > 0 for key in keys)


def test_bodies_run_at_the_same_time(make: MakeBreaker) -> None:
    breaker, together = make(), threading.Barrier(8)

    def call() -> None:
        with breaker.calling():
            together.wait(timeout=DEADLINE_SECONDS)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(call) for _ in range(8)]:
            done.result()


def test_fresh_process_sees_it_open_until_the_same_time(make: MakeBreaker, name: str) -> None:
    breaker = make(clock=lambda: datetime.now(UTC))
    fail(breaker, 3)
    seen = SPAWN.Queue()
    process = SPAWN.Process(target=look_afresh, args=(name, seen))
    process.start()
    assert seen.get(timeout=DEADLINE_SECONDS) == breaker.open_until()
    process.join(DEADLINE_SECONDS)
