"""A breaker of its own for each test, as several processes would have it."""

import secrets
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from orchestration.participant.breaker import Breaker
from orchestration.participant.breaker_redis import connect
from tests.integration.participant.breaker.callers import (
    REDIS_URL,
    RESET_AFTER,
    Clock,
    GatewayDown,
    MakeBreaker,
    forget,
)


@pytest.fixture
def name() -> Iterator[str]:
    unique = f"test-{secrets.token_hex(6)}"
    yield unique
    forget(unique)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(name: str, clock: Clock) -> MakeBreaker:
    """Makes a breaker as another process would have it: a client and a memory of its own."""

    def make_breaker(**changes: Any) -> Breaker:
        usual: dict[str, Any] = {
            "redis": partial(connect, REDIS_URL),
            "counts": (GatewayDown,),
            "fail_max": 3,
            "clock": clock,
        }
        return Breaker(name, **usual | {"reset_after": RESET_AFTER} | changes)

    return make_breaker
