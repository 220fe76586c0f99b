"""One call at a time is let through while the breaker is half-open."""

import multiprocessing
from datetime import UTC, datetime, timedelta
from functools import partial
from queue import Empty
from time import monotonic

import pytest

from orchestration.participant.breaker_redis import BreakerKeys, connect
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
    probe_at_once,
    refused,
    succeed,
)

SPAWN = multiprocessing.get_context("spawn")


def test_good_probe_closes_it_for_all(make: MakeBreaker, clock: Clock) -> None:
    breaker, other = make(), make()
    fail(breaker, 3)
    clock.advance(RESET_AFTER)
    assert other.state() == "half-open"
    succeed(breaker)
    assert breaker.state() == other.state() == "closed"
    fail(other, 2)
    assert other.state() == "closed"


def test_failed_probe_opens_it_again(make: MakeBreaker, clock: Clock) -> None:
    breaker = make()
    fail(breaker, 3)
    clock.advance(RESET_AFTER)
    fail(breaker)
    assert breaker.open_until() == NOW + 2 * RESET_AFTER


def test_probe_that_is_answered_no_closes_it(make: MakeBreaker, clock: Clock) -> None:
    breaker = make()
    fail(breaker, 3)
    clock.advance(RESET_AFTER)
    with pytest.raises(CardDeclined), breaker.calling():
        raise CardDeclined
    assert breaker.state() == "closed"


def test_others_are_refused_until_the_lease_of_the_probe_ends(make: MakeBreaker, clock: Clock) -> None:
    breaker, other = make(probe_lease=8 * SECOND), make()
    fail(breaker, 3)
    clock.advance(RESET_AFTER)
    assert other.open_until() is None
    with breaker.calling():
        assert clock.now + 7 * SECOND < refused(other).until <= clock.now + 8 * SECOND
        assert other.open_until() is not None
        refused(breaker)


def test_looking_does_not_take_the_probe(make: MakeBreaker, clock: Clock) -> None:
    breaker = make()
    fail(breaker, 3)
    clock.advance(RESET_AFTER)
    assert [breaker.open_until(), breaker.open_until(), breaker.state()] == [None, None, "half-open"]
    succeed(breaker)


def test_stopped_probe_leaves_the_next_call_to_be_the_probe(make: MakeBreaker, clock: Clock) -> None:
    breaker = make()
    fail(breaker, 3)
    clock.advance(RESET_AFTER)
    with pytest.raises(SystemExit), breaker.calling():
        raise SystemExit
    assert breaker.state() == "half-open"
    succeed(breaker)


def test_dead_probe_gives_way_when_its_lease_ends(make: MakeBreaker, clock: Clock) -> None:
    breaker, other = make(probe_lease=SECOND / 5), make()
    fail(breaker, 3)
    clock.advance(RESET_AFTER)
    with breaker.calling():
        refused(other)
        deadline = monotonic() + DEADLINE_SECONDS
        while other.open_until() is not None:
            assert monotonic() < deadline, "the lease never ended"
        fail(other)
    assert breaker.open_until() == clock.now + RESET_AFTER, "a probe without its lease closed the breaker"


def test_probe_cannot_be_taken_when_another_has_just_failed(name: str, make: MakeBreaker, clock: Clock) -> None:
    breaker, keys = make(), BreakerKeys(name, partial(connect, REDIS_URL))
    fail(breaker, 3)
    clock.advance(RESET_AFTER)
    assert keys.look(clock.now).state(clock.now) == "half-open"
    fail(breaker)
    taken, seen = keys.take_probe(clock.now, "late", RESET_AFTER)
    assert not taken
    assert seen.refused_until(clock.now) == clock.now + RESET_AFTER
    assert keys.look(clock.now).probe_until is None


def test_record_forgotten_during_a_probe_is_a_closed_breaker(make: MakeBreaker, clock: Clock, name: str) -> None:
    breaker = make()
    fail(breaker, 3)
    clock.advance(RESET_AFTER)
    fail_after(breaker, lambda: forget(name))
    assert breaker.state() == "closed"


def test_operator_overrules_a_probe_under_way(make: MakeBreaker, clock: Clock) -> None:
    breaker, other = make(), make()
    fail(breaker, 3)
    clock.advance(RESET_AFTER)
    with breaker.calling():
        other.force_open()
    assert breaker.open_until() == clock.now + RESET_AFTER


def test_one_call_of_eight_processes_with_four_threads_is_the_probe(make: MakeBreaker, name: str) -> None:
    breaker = make(clock=lambda: datetime.now(UTC), reset_after=timedelta(milliseconds=1))
    fail(breaker, 3)
    ready, tries, let_go = SPAWN.Barrier(32), SPAWN.Queue(), SPAWN.Event()
    processes = [SPAWN.Process(target=probe_at_once, args=(name, 4, ready, tries, let_go)) for _ in range(8)]
    for process in processes:
        process.start()
    try:
        outcomes = sorted(tries.get(timeout=DEADLINE_SECONDS) for _ in range(32))
    except Empty:
        pytest.fail("not every thread was answered")
    finally:
        let_go.set()
        for process in processes:
            process.join(DEADLINE_SECONDS)
    assert outcomes == ["probe"] + ["refused"] * 31
    assert make().state() == "closed"
