"""What a breaker does without any Redis to share."""

import logging
import pickle
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any

import pytest
from redis.exceptions import RedisError

from orchestration.participant.breaker import Breaker, BreakerOpen
from orchestration.participant.breaker_redis import BreakerReading, connect

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class GatewayDown(Exception):
    """The gateway did not answer."""


@pytest.fixture
def deaf_address() -> Iterator[str]:
    """A port where nobody listens, held so that nobody starts to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"redis://127.0.0.1:{held.getsockname()[1]}/0"


@pytest.fixture
def mute_address() -> Iterator[str]:
    """A port that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        yield f"redis://127.0.0.1:{mute.getsockname()[1]}/0"


def fail(breaker: Breaker) -> None:
    with pytest.raises(GatewayDown), breaker.calling():
        raise GatewayDown


def test_breaker_made_while_redis_is_down_lets_calls_through(deaf_address: str) -> None:
    breaker = Breaker("gateway", redis=partial(connect, deaf_address), counts=(GatewayDown,), fail_max=1)
    fail(breaker)
    fail(breaker)
    assert breaker.state() == "closed"
    assert breaker.open_until() is None


def test_redis_down_is_warned_of_once_a_minute(deaf_address: str, caplog: pytest.LogCaptureFixture) -> None:
    times = [NOW]
    breaker = Breaker("gateway", redis=partial(connect, deaf_address), counts=(GatewayDown,), clock=lambda: times[-1])
    for _ in range(59):
        fail(breaker)
        times.append(times[-1] + SECOND)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    times.append(NOW + timedelta(minutes=2))
    fail(breaker)
    assert len(caplog.records) == 2


def test_hanging_redis_delays_one_call_and_leaves_the_next_ones_alone(mute_address: str) -> None:
    breaker = Breaker("gateway", redis=partial(connect, mute_address), counts=(GatewayDown,), clock=lambda: NOW)
    started = monotonic()
    fail(breaker)
    first = monotonic()
    for _ in range(100):
        fail(breaker)
    assert first - started < 0.4
    assert monotonic() - first < 0.2


def test_operator_is_reported_that_redis_is_down(deaf_address: str) -> None:
    breaker = Breaker("gateway", redis=partial(connect, deaf_address), counts=(GatewayDown,))
    with pytest.raises(RedisError):
        breaker.force_open()
    with pytest.raises(RedisError):
        breaker.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"counts": ()},
        {"fail_max": 0},
        {"reset_after": timedelta(0)},
        {"probe_lease": -SECOND},
    ],
)
def test_senseless_breaker_is_refused(wrong: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"redis": partial(connect, "redis://127.0.0.1"), "counts": (GatewayDown,)}
    with pytest.raises(ValueError, match="breaker gateway"):
        Breaker("gateway", **usual | wrong)


def test_error_survives_pickling_with_its_facts() -> None:
    error = pickle.loads(pickle.dumps(BreakerOpen("gateway", NOW)))
    assert (error.name, error.until) == ("gateway", NOW)
    assert str(error) == "breaker gateway is open until 2030-01-01T00:00:00+00:00"


def test_look_holds_for_a_second() -> None:
    assert BreakerReading(at=NOW).holds(NOW + SECOND * 0.9)
    assert not BreakerReading(at=NOW).holds(NOW + SECOND)


def test_look_does_not_hold_when_the_clock_was_set_back() -> None:
    assert not BreakerReading(at=NOW).holds(NOW - SECOND)


def test_look_at_a_half_open_breaker_never_holds() -> None:
    seen = BreakerReading(at=NOW, open_until=NOW + SECOND / 2)
    assert seen.holds(NOW)
    assert not seen.holds(NOW + SECOND / 2)


def test_closed_breaker_refuses_nobody_for_the_sake_of_a_forgotten_probe() -> None:
    assert BreakerReading(at=NOW, probe_until=NOW + SECOND).refused_until(NOW) is None
