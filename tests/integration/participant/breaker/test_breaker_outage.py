"""Redis goes and comes back under a breaker."""

import logging
from collections.abc import Iterator
from functools import partial
from time import monotonic

import pytest

from orchestration.participant.breaker_redis import LEFT_ALONE_FOR, connect
from tests.integration.participant.breaker.callers import (
    DEADLINE_SECONDS,
    REDIS_URL,
    RESET_AFTER,
    SECOND,
    Clock,
    MakeBreaker,
    fail,
    refused,
    succeed,
)
from tests.support.wire import Wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire(REDIS_URL)
    yield wire
    wire.close()


def test_open_breaker_is_closed_while_redis_is_away_and_open_again_after(
    make: MakeBreaker, clock: Clock, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    breaker = make(redis=partial(connect, wire.url))
    fail(breaker, 3)
    refused(breaker)
    wire.cut()
    clock.advance(SECOND)
    for _ in range(20):
        fail(breaker)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    wire.mend()
    clock.advance(LEFT_ALONE_FOR)
    refused(breaker)


def test_redis_that_hangs_costs_one_timeout(make: MakeBreaker, clock: Clock, wire: Wire) -> None:
    breaker = make(redis=partial(connect, wire.url))
    succeed(breaker)
    wire.hang()
    clock.advance(SECOND)
    started = monotonic()
    for _ in range(20):
        fail(breaker)
    assert 0.15 < monotonic() - started < 0.4
    wire.mend()
    clock.advance(LEFT_ALONE_FOR)
    fail(breaker, 3)
    refused(breaker)


def test_redis_cut_off_during_a_call_does_not_change_how_it_ends(make: MakeBreaker, wire: Wire) -> None:
    breaker = make(redis=partial(connect, wire.url))
    with breaker.calling():
        wire.cut()


def test_probe_that_cannot_report_is_followed_by_another(make: MakeBreaker, clock: Clock, wire: Wire) -> None:
    breaker = make(redis=partial(connect, wire.url), probe_lease=SECOND / 10)
    fail(breaker, 3)
    clock.advance(RESET_AFTER)
    with breaker.calling():
        wire.cut()
    wire.mend()
    clock.advance(LEFT_ALONE_FOR)
    assert breaker.state() == "half-open"
    deadline = monotonic() + DEADLINE_SECONDS
    while breaker.open_until() is not None:
        assert monotonic() < deadline, "the lease never ended"
    succeed(breaker)
    assert breaker.state() == "closed"
