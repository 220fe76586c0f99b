"""Events by which workers tell web processes, through Redis, that sagas have ended. An event may be lost."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import Error
from redis import Redis
from redis.exceptions import RedisError

from orchestration.engine import selectors
from orchestration.execution.scheduler import after_job
from orchestration.participant.breaker_redis import connect
from orchestration.signals import sagas_ended

logger = logging.getLogger(__name__)

ENDED = "ended"
LEFT_ALONE_FOR = timedelta(seconds=5)
"""Wait after Redis failed. A Redis that hangs then costs a thread 4 % of its time."""

_ID_BYTES = 16


class Announcer:
    """Publishes ended sagas on a channel: one message for all that ended together."""

    def __init__(
        self, channel: str, *, redis: Callable[[], Redis], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._channel = channel
        self._connect = redis
        self._clock = clock
        self._left_alone_until = float("-inf")

    def announce(self, saga_ids: Iterable[UUID]) -> None:
        """Publish that these sagas have ended. While Redis fails, publish nothing."""
        if self._clock() < self._left_alone_until:
            return
        try:
            self._redis.publish(self._channel, packed(saga_ids))
        except RedisError as error:
            self._left_alone_until = self._clock() + LEFT_ALONE_FOR.total_seconds()
            logger.warning("ends of sagas are not announced, who waits for one will look: Redis failed: %s", error)

    @cached_property
    def _redis(self) -> Redis:
        return self._connect()


def announce_ends() -> None:
    """Publish every saga that ends in this process, after its commit and after the thread's job."""
    announcer = Announcer(channel(), redis=lambda: connect(settings.REDIS_URL))

    def announce(*, sagas: Sequence[Any], **_: Any) -> None:
        ids = [saga.pk for saga in sagas]
        retries = [saga.pk for saga in sagas if saga.retry_of]
        after_job(lambda: announcer.announce([*ids, *_first_sagas(retries)]))

    sagas_ended.connect(announce, weak=False, dispatch_uid=ENDED)


def _first_sagas(retries: Sequence[UUID]) -> list[UUID]:
    """Return the sagas whose work these do again: clients wait for the end of the first one."""
    try:
        return selectors.retried_by(retries) if retries else []
    except Error as error:
        logger.warning("ends are announced late to clients that wait for the first saga of a deadlock: %s", error)
        return []


def channel() -> str:
    """Return the channel of this shop. It needs the prefix, because all databases of a Redis share channels."""
    return settings.TOPOLOGY.name(ENDED)


def packed(saga_ids: Iterable[UUID]) -> bytes:
    """Encode ids as one message."""
    return b"".join(saga_id.bytes for saga_id in saga_ids)


def unpacked(message: bytes) -> list[UUID]:
    """Decode the ids in a message. Ignore the rest of a message that is no list of ids."""
    whole = len(message) - len(message) % _ID_BYTES
    return [UUID(bytes=message[start : start + _ID_BYTES]) for start in range(0, whole, _ID_BYTES)]
