"""What all processes have counted, kept in Redis: each hands over what it has every other second, and reads the whole.

Redis, because workers may run on any machine, and because it may be lost: then every counter starts again from
nothing, as Prometheus expects of counters. A process that is killed takes what it has not handed over with it.
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
KEPT_FOR = 7 * 24 * 3600  # seconds without anything counted by anybody
SEPARATOR = "\x1f"  # in no name and no label

# A hand-over whose reply was lost comes again with its number.
_ADD = """
if redis.call('GET', KEYS[2]) == ARGV[1] then return end
for i = 3, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[1], 'EX', 3600)
"""


@dataclass
class Handover:
    """One process's way to hand over: what could not be handed over is kept, and goes first."""

    redis: Redis
    process: str = field(default_factory=lambda: uuid4().hex)
    _number: int = 0
    _held: Mapping[Key, float] = field(default_factory=dict)

    def hand_over(self) -> None:
        """Add what was counted to what all have counted.

        :raises RedisError: when it is not known whether that was done; it is tried again with the next.
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


def everybodys() -> Mapping[Key, float]:
    """What all processes have counted and handed over.

    :raises RedisError: when Redis does not answer.
    """
    found: Any = _redis().hgetall(f"{{{settings.TOPOLOGY.name('metrics')}}}")
    return {tuple(name.decode().split(SEPARATOR)): float(by) for name, by in found.items()}


def start() -> None:
    """Hand over from now on, until the process ends; also in what is forked from it."""
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
