"""Redis goes and comes back under a breaker."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from time import monotonic
from urllib.parse import urlsplit

import pytest

from orchestration.participant.breaker_record import LEFT_ALONE_FOR, connect
from tests.integration.breaker.callers import (
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


class Wire:
    """A way to Redis that can be cut, or that swallows what is sent."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._up = True
        self._swallows = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return urlsplit(REDIS_URL)._replace(netloc=f"127.0.0.1:{self._listener.getsockname()[1]}").geturl()

    def cut(self) -> None:
        self._up = False
        for pair in self._pairs:
            self._close(pair)

    def hang(self) -> None:
        self._swallows = True

    def mend(self) -> None:
        self._up, self._swallows = True, False

    def close(self) -> None:
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self._up:
                    near.close()
                    continue
                redis = urlsplit(REDIS_URL)
                far = socket.create_connection((redis.hostname or "127.0.0.1", redis.port or 6379))
                self._pairs.append((near, far))
                threading.Thread(target=self._carry, args=(near, far), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while said := source.recv(65536):
                if not self._swallows:
                    target.sendall(said)
        self._close((source, target))

    @staticmethod
    def _close(pair: tuple[socket.socket, socket.socket]) -> None:
        for end in pair:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
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
