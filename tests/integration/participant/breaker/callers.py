"""Callers of an outside system behind a breaker, here and in other processes."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from orchestration.participant.breaker import Breaker, BreakerOpen
from orchestration.participant.breaker_redis import connect

REDIS_URL = os.environ.get("SHOP_REDIS_URL", "redis://127.0.0.1:6379/0")
NOW = datetime(2030, 1, 1, tzinfo=UTC)
RESET_AFTER = timedelta(seconds=30)
SECOND = timedelta(seconds=1)
DEADLINE_SECONDS = 20

MakeBreaker = Callable[..., Breaker]


class GatewayDown(Exception):
    """The gateway did not answer."""


class CardDeclined(Exception):
    """The gateway answered no."""


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, span: timedelta) -> None:
        self.now += span


def forget(name: str) -> None:
    with connect(REDIS_URL) as redis:
        redis.delete(*redis.scan_iter(f"breaker:{{{name}}}:*"), "nothing")


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(GatewayDown), breaker.calling():
            raise GatewayDown


def fail_after(breaker: Breaker, event: Callable[[], None]) -> None:
    """Makes one call that fails when `event` has happened during it."""

    def call() -> None:
        with breaker.calling():
            event()
            raise GatewayDown

    with pytest.raises(GatewayDown):
        call()


def succeed(breaker: Breaker) -> None:
    with breaker.calling():
        pass


def refused(breaker: Breaker) -> BreakerOpen:
    with pytest.raises(BreakerOpen) as caught, breaker.calling():
        pytest.fail("the body was run")
    return caught.value


def look_afresh(name: str, seen: Any) -> None:
    breaker = Breaker(name, redis=partial(connect, REDIS_URL), counts=(GatewayDown,))
    try:
        with breaker.calling():
            seen.put("the body was run")
    except BreakerOpen as error:
        seen.put(error.until)


def probe_at_once(name: str, threads: int, ready: Any, tries: Any, let_go: Any) -> None:
    """Has each thread make one call when all are ready; a body that runs stays inside until let go."""
    breaker = Breaker(name, redis=partial(connect, REDIS_URL), counts=(GatewayDown,))

    def call() -> None:
        ready.wait(timeout=DEADLINE_SECONDS)
        try:
            with breaker.calling():
                tries.put("probe")
                let_go.wait(timeout=DEADLINE_SECONDS)
        except BreakerOpen:
            tries.put("refused")

    with ThreadPoolExecutor(threads) as pool:
        for _ in range(threads):
            pool.submit(call)
