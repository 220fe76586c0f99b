"""Wakes the threads of a web process that wait for sagas to end, when workers announce an end on Redis.

An announcement is only a reason to look: the table is read each time, and also at intervals without any announcement.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from uuid import UUID

from django.conf import settings
from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError

from orchestration.api.polling import growing_pauses
from orchestration.db.connections import return_connections
from orchestration.engine.completion_events import channel, unpacked
from orchestration.participant.breaker_redis import connect

logger = logging.getLogger(__name__)

LOOKS_ANYWAY_AFTER_S = 1.0
"""The interval of looks while it listens: an announcement can be lost, and an order is confirmed before its saga
ends."""
PINGS_AFTER_S = 2.0
"""Seconds of silence before a ping. After the same time again without an answer, Redis counts as unavailable."""
TRIES_AGAIN_AFTER_S = 1.0


class CompletionListener:
    """Listens to a channel for ends of sagas, from the first time that a thread waits for one."""

    def __init__(self, channel: str, *, redis: Callable[[], Redis], pings_after_s: float = PINGS_AFTER_S) -> None:
        self._channel = channel
        self._connect = redis
        self._pings_after_s = pings_after_s
        self._expected: defaultdict[UUID, set[threading.Event]] = defaultdict(set)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._has_warned = False
        self.hears = False
        """Whether an announcement made now would be received."""

    @contextmanager
    def expected(self, saga_id: UUID) -> Iterator["Expected"]:
        """Expect a saga's end within the block. Announcements from now on are not missed."""
        event = threading.Event()
        with self._lock:
            self._expected[saga_id].add(event)
            self._start()
        try:
            yield Expected(self, event)
        finally:
            with self._lock:
                self._expected[saga_id].discard(event)
                if not self._expected[saga_id]:
                    del self._expected[saga_id]

    def expects(self) -> int:
        """Return the number of sagas whose end is expected."""
        return len(self._expected)

    def close(self) -> None:
        """Stop listening, and wait until the thread has ended."""
        self._closed.set()
        if self._thread:
            self._thread.join()

    def _start(self) -> None:
        """Start the thread on first use and not at import, because gunicorn forks."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ends", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                with closing(self._connect()) as redis, closing(redis.pubsub()) as heard:  # type: ignore[no-untyped-call]
                    heard.subscribe(self._channel)
                    self._listen(heard)
            except RedisError as error:
                self._warn(error)
            finally:
                self.hears = False
                self._wake_all()
            self._closed.wait(TRIES_AGAIN_AFTER_S)

    def _listen(self, heard: PubSub) -> None:
        """Receive announcements until closed.

        :raises RedisError: when the connection is lost or a ping is not answered.
        """
        has_pinged = False
        while not self._closed.is_set():
            message = heard.get_message(timeout=self._pings_after_s)
            if message is None:
                if has_pinged:
                    raise RedisError("no answer to a ping")
                heard.ping()
            has_pinged = message is None
            match message:
                case {"type": "subscribe"}:
                    self.hears, self._has_warned = True, False
                    self._wake_all()  # earlier announcements were missed, so all must look now
                case {"type": "message", "data": data}:
                    self._wake(unpacked(data))

    def _warn(self, error: RedisError) -> None:
        if not self._has_warned:
            logger.warning("ends of sagas are not heard of, who waits for one looks again and again: %s", error)
        self._has_warned = True

    def _wake(self, saga_ids: list[UUID]) -> None:
        with self._lock:
            events = [event for saga_id in saga_ids for event in self._expected.get(saga_id, ())]
        for event in events:
            event.set()

    def _wake_all(self) -> None:
        with self._lock:
            expected = list(self._expected)
        self._wake(expected)


class Expected:
    """One thread's wait for the end of a saga."""

    def __init__(self, ends: CompletionListener, event: threading.Event) -> None:
        self._ends = ends
        self._event = event

    def pause(self, seconds: float) -> None:
        """Wait up to `seconds`, without database connections. The end's announcement, or a start or stop of listening,
        ends the wait early."""
        return_connections()
        self._event.wait(seconds)
        self._event.clear()

    def pauses(self) -> Iterator[float]:
        """Yield the seconds until the next look: long while announcements are received, otherwise short."""
        growing = growing_pauses()
        while True:
            yield LOOKS_ANYWAY_AFTER_S if self._ends.hears else next(growing)


@cache
def ends() -> CompletionListener:
    """Return the listener of this process."""
    return CompletionListener(channel(), redis=lambda: connect(settings.REDIS_URL))
