"""The counts of all processes, in Redis. Each process adds its counts every two seconds and can read the totals.

Redis is used because workers may run on any machine. Redis may lose the counts: then every counter starts again at
zero, as Prometheus expects of counters. The counts of a killed process that it has not added yet are lost.
"""

import atexit
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import uuid4

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from orchestration.participant.breaker_redis import connect
from orchestration.telemetry import local_counts
from orchestration.telemetry.metric_definitions import Key

logger = logging.getLogger(__name__)

EVERY = 2.0  # seconds
KEPT_FOR = 7 * 24 * 3600  # seconds without any count
SEPARATOR = "\x1f"  # in no name and no label

# A hand-over whose reply was lost is sent again with the same number, and must not be added twice.
_ADD = """
if redis.call('GET', KEYS[2]) == ARGV[1] then return end
for i = 3, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[1], 'EX', 3600)
"""


@dataclass
class Handover:
    """Adds one process's counts to Redis. Counts that could not be added are kept and sent first the next time."""

    redis: Redis
    process: str = field(default_factory=lambda: uuid4().hex)
    _number: int = 0
    _held: Mapping[Key, float] = field(default_factory=dict)

    def hand_over(self) -> None:
        """Add this process's counts to the totals.

        :raises RedisError: when it is not known whether they were added. The next call tries again.
        """
        if not self._held:
            self._held = local_counts.take()
            self._number += bool(self._held)
        if self._held:
            fields = [part for key, by in self._held.items() for part in (SEPARATOR.join(key), by)]
            total = settings.TOPOLOGY.name("metrics")
            keys = (f"{{{total}}}", f"{{{total}}}:{self.process}")
            self.redis.eval(_ADD, len(keys), *keys, self._number, KEPT_FOR, *fields)
            self._held = {}


def totals() -> Mapping[Key, float]:
    """Return the totals of all processes.

    :raises RedisError: when Redis does not answer.
    """
    found: Any = _redis().hgetall(f"{{{settings.TOPOLOGY.name('metrics')}}}")
    return {tuple(name.decode().split(SEPARATOR)): float(by) for name, by in found.items()}


def start() -> None:
    """Add this process's counts to Redis from now on until it ends. Do the same in processes forked from it."""
    global _started
    if not _started:
        _started = True
        atexit.register(_hand_over_the_rest)
        os.register_at_fork(after_in_child=_begin_anew)
        _run()


_started = False
_handover: Handover | None = None


def _run() -> None:
    global _handover
    _handover = Handover(connect(settings.REDIS_URL))
    threading.Thread(target=_forever, args=(_handover,), name="handing over of counts", daemon=True).start()


def _forever(handover: Handover) -> None:
    ends = threading.Event()
    while not ends.wait(EVERY):
        _hand_over_or_log(handover)


def _begin_anew() -> None:
    local_counts.forget()
    _run()


def _hand_over_the_rest() -> None:
    if _handover is not None:
        _hand_over_or_log(_handover)


def _hand_over_or_log(handover: Handover) -> None:
    try:
        handover.hand_over()
    except RedisError as error:
        logger.debug("counts are kept until Redis takes them: %s", error)


@cache
def _redis() -> Redis:
    return connect(settings.REDIS_URL)
