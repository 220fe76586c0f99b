"""Who waits for the end of a saga is woken when it is announced, and finds out all the same when it is not."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import islice
from secrets import token_hex
from time import monotonic
from uuid import UUID, uuid4

import pytest

from orchestration.api import completion_listener
from orchestration.api.completion_listener import CompletionListener, Expected
from orchestration.api.polling import growing_pauses, wait_for
from orchestration.engine import completion_events
from orchestration.engine.completion_events import Announcer, announce_ends, packed, unpacked
from orchestration.models import SagaInstance
from orchestration.participant.breaker_redis import connect
from orchestration.signals import sagas_ended
from tests.support.wait import wait_for as wait_until
from tests.support.wire import Wire

REDIS_URL = os.environ.get("SHOP_REDIS_URL", "redis://127.0.0.1:6379/0")
SAGA = UUID(int=1)
LONG_S = 30.0
"""What a test would take if it came to that."""

Hear = Callable[..., CompletionListener]


@pytest.fixture
def channel() -> str:
    return f"test-{token_hex(6)}"


@pytest.fixture
def hear(channel: str) -> Iterator[Hear]:
    """Listens as a web process would."""
    listening: list[CompletionListener] = []

    def hear(url: str = REDIS_URL, pings_after_s: float = 0.1) -> CompletionListener:
        listening.append(CompletionListener(channel, redis=partial(connect, url), pings_after_s=pings_after_s))
        return listening[-1]

    yield hear
    for ends in listening:
        ends.close()


@pytest.fixture
def announcer(channel: str) -> Announcer:
    return Announcer(channel, redis=partial(connect, REDIS_URL))


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire(REDIS_URL)
    yield wire
    wire.close()


@pytest.fixture(autouse=True)
def looks_only_when_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion_listener, "LOOKS_ANYWAY_AFTER_S", LONG_S)


class Saga:
    """One that a test ends, and that counts how often somebody looks whether it has."""

    def __init__(self) -> None:
        self.has_ended = False
        self.looks = 0

    def look(self) -> str | None:
        self.looks += 1
        return "ended" if self.has_ended else None

    def wait(self, end: Expected, *, at_once: bool = False) -> str | None:
        return wait_for(self.look, timedelta(seconds=LONG_S), pauses=end.pauses(), pause=end.pause, at_once=at_once)


@pytest.fixture
def saga() -> Saga:
    return Saga()


def listening_to(ends: CompletionListener) -> CompletionListener:
    """Begins to listen, as somebody has waited before."""
    with ends.expected(uuid4()):
        wait_until(lambda: ends.hears)
    return ends


def test_waiter_looks_once_when_the_end_is_announced(hear: Hear, announcer: Announcer, saga: Saga) -> None:
    ends = listening_to(hear())
    with ends.expected(SAGA) as end, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(saga.wait, end)
        announcer.announce([uuid4()])
        saga.has_ended = True
        announcer.announce([uuid4(), SAGA])
        assert waiting.result(LONG_S / 3) == "ended"
    assert saga.looks == 1


def test_end_that_is_announced_before_the_waiter_waits_is_not_missed(
    hear: Hear, announcer: Announcer, saga: Saga
) -> None:
    ends = listening_to(hear())
    with ends.expected(SAGA) as end:
        saga.has_ended = True
        announcer.announce([SAGA])
        wait_until(end._event.is_set)
        assert saga.wait(end) == "ended"
    assert saga.looks == 1


def test_end_that_is_announced_before_anybody_listens_is_not_missed(hear: Hear, saga: Saga) -> None:
    ends = hear()
    with ends.expected(SAGA) as end, ThreadPoolExecutor(1) as pool:
        saga.has_ended = True
        wait_until(lambda: ends.hears)
        assert pool.submit(saga.wait, end).result(LONG_S / 3) == "ended"


def test_all_who_wait_for_one_saga_are_woken(hear: Hear, announcer: Announcer, saga: Saga) -> None:
    ends = listening_to(hear())
    with ends.expected(SAGA) as one, ends.expected(SAGA) as other, ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(saga.wait, end) for end in (one, other)]
        saga.has_ended = True
        announcer.announce([SAGA])
        assert [each.result(LONG_S / 3) for each in waiting] == ["ended", "ended"]


def test_end_that_nobody_announces_is_found_by_looking(hear: Hear, saga: Saga, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion_listener, "LOOKS_ANYWAY_AFTER_S", 0.01)
    ends = listening_to(hear())
    saga.has_ended = True
    with ends.expected(SAGA) as end:
        assert saga.wait(end) == "ended"


def test_without_redis_waiters_look_again_and_again(
    hear: Hear, saga: Saga, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    wire.cut()
    ends = hear(wire.url)
    with ends.expected(SAGA) as end, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(saga.wait, end)
        wait_until(lambda: saga.looks > 3)
        saga.has_ended = True
        assert waiting.result(LONG_S / 3) == "ended"
        assert list(islice(end.pauses(), 7)) == list(islice(growing_pauses(), 7))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("fail", [Wire.cut, Wire.hang])
def test_redis_that_is_lost_has_waiters_look_and_is_listened_to_when_it_is_back(
    hear: Hear, announcer: Announcer, saga: Saga, wire: Wire, fail: Callable[[Wire], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(completion_listener, "TRIES_AGAIN_AFTER_S", 0.05)
    ends = listening_to(hear(wire.url))
    with ends.expected(SAGA) as end, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(saga.wait, end)
        fail(wire)
        wait_until(lambda: not ends.hears)
        wait_until(lambda: saga.looks)
        wire.cut()
        wire.mend()
        wait_until(lambda: ends.hears)
        saga.has_ended = True
        announcer.announce([SAGA])
        assert waiting.result(LONG_S / 3) == "ended"


def test_silence_is_no_loss(hear: Hear) -> None:
    ends = hear(pings_after_s=0.02)
    with ends.expected(SAGA):
        wait_until(lambda: ends.hears)
        lost = threading.Event()
        ends._wake_all = lost.set  # type: ignore[method-assign]
        assert not lost.wait(0.3)


def test_waiter_that_gives_up_leaves_nothing_behind(hear: Hear) -> None:
    ends = listening_to(hear())
    with ends.expected(SAGA) as end:
        assert ends.expects() == 1
        assert wait_for(lambda: None, timedelta(milliseconds=10), pauses=end.pauses(), pause=end.pause) is None
    with pytest.raises(KeyError), ends.expected(SAGA), ends.expected(SAGA):
        raise KeyError
    assert ends.expects() == 0


def test_what_no_worker_has_said_harms_nobody(hear: Hear, announcer: Announcer, channel: str, saga: Saga) -> None:
    ends = listening_to(hear())
    saga.has_ended = True
    with connect(REDIS_URL) as redis:
        redis.publish(channel, "nonsense of no particular length")
        redis.publish(channel, "")
    with ends.expected(SAGA) as end:
        announcer.announce([SAGA])
        assert saga.wait(end) == "ended"


def test_ids_go_into_one_message_and_come_out() -> None:
    ids = [uuid4() for _ in range(3)]
    assert unpacked(packed(ids)) == ids
    assert unpacked(packed(ids) + b"more") == ids


def test_redis_that_is_away_is_left_alone_for_a_while(
    hear: Hear, channel: str, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    times = [0.0]
    announcer = Announcer(channel, redis=partial(connect, wire.url), clock=lambda: times[-1])
    ends = listening_to(hear())
    with ends.expected(SAGA) as end:
        wire.cut()
        announcer.announce([SAGA])
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        wire.mend()
        announcer.announce([SAGA])
        assert not end._event.wait(0.1), "it is not left alone"
        times.append(completion_events.LEFT_ALONE_FOR.total_seconds())
        announcer.announce([SAGA])
        assert end._event.wait(LONG_S / 3)


def test_redis_that_hangs_holds_nobody_up_for_long(channel: str, wire: Wire) -> None:
    announcer = Announcer(channel, redis=partial(connect, wire.url))
    wire.hang()
    began = monotonic()
    for _ in range(100):
        announcer.announce([SAGA])
    assert monotonic() - began < 1


def test_sagas_that_end_together_are_announced_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[list[UUID]] = []
    monkeypatch.setattr(Announcer, "announce", lambda self, saga_ids: reported.append(list(saga_ids)))
    announce_ends()
    ids = [uuid4(), uuid4()]
    try:
        sagas_ended.send(sender=None, sagas=[SagaInstance(id=saga_id) for saga_id in ids])
    finally:
        assert sagas_ended.disconnect(dispatch_uid=completion_events.ENDED)
    assert reported == [ids]
