"""The breaker of one process: a server that failed is left alone, then tried by one caller at a time."""

from contextlib import ExitStack

import pytest

from orchestration.db.process_breaker import BreakerIsOpen, ProcessBreaker


class Clock:
    """Stands still until it is moved on."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Down(Exception):
    """The server does not answer."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> ProcessBreaker:
    return ProcessBreaker(1.0, clock=clock)


def fail(breaker: ProcessBreaker, *, one_at_a_time: bool = True) -> None:
    with pytest.raises(Down), breaker.calling(Down, one_at_a_time=one_at_a_time):
        raise Down


def call(breaker: ProcessBreaker, *, one_at_a_time: bool = True) -> bool:
    """Tell whether the call was let through."""
    try:
        with breaker.calling(Down, one_at_a_time=one_at_a_time):
            return True
    except BreakerIsOpen:
        return False


def test_after_a_failure_nobody_calls_for_a_while(breaker: ProcessBreaker, clock: Clock) -> None:
    fail(breaker)
    assert breaker.is_open()
    assert not call(breaker)
    assert not call(breaker, one_at_a_time=False)
    clock.now += 1.0
    assert not breaker.is_open()
    assert call(breaker)


def test_then_one_caller_tries_while_the_others_are_turned_away(breaker: ProcessBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 1.0
    with breaker.calling(Down, one_at_a_time=True):
        assert not call(breaker)
        assert call(breaker, one_at_a_time=False)


def test_a_trial_that_fails_has_the_server_left_alone_again(breaker: ProcessBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 1.0
    fail(breaker)
    assert not call(breaker)
    clock.now += 1.0
    assert call(breaker)


def test_a_trial_that_succeeds_lets_everybody_through(breaker: ProcessBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 1.0
    assert call(breaker)
    with breaker.calling(Down, one_at_a_time=True):
        assert call(breaker)


def test_another_error_is_no_failure_and_ends_a_trial(breaker: ProcessBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 1.0
    with pytest.raises(ZeroDivisionError), breaker.calling(Down, one_at_a_time=True):
        raise ZeroDivisionError
    assert not breaker.is_open()
    assert call(breaker)


def test_no_lock_is_held_during_calls(breaker: ProcessBreaker) -> None:
    with breaker.calling(Down, one_at_a_time=True), breaker.calling(Down, one_at_a_time=True):
        assert not breaker.is_open()


def test_a_failure_counts_when_the_last_success_was_long_before(breaker: ProcessBreaker, clock: Clock) -> None:
    with ExitStack() as failing:
        failing.enter_context(pytest.raises(Down))
        failing.enter_context(breaker.calling(Down, one_at_a_time=True))
        assert call(breaker)
        clock.now += 1.5
        raise Down
    assert breaker.is_open()


def test_a_failure_does_not_count_when_another_call_succeeded_meanwhile(breaker: ProcessBreaker, clock: Clock) -> None:
    with ExitStack() as failing:
        failing.enter_context(pytest.raises(Down))
        failing.enter_context(breaker.calling(Down, one_at_a_time=True))
        clock.now += 0.5
        assert call(breaker)
        clock.now += 0.5
        raise Down
    assert not breaker.is_open()
