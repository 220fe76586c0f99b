"""The record of a circuit breaker in Redis, which all processes share."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from threading import Lock
from typing import Any, Literal, TypeVar

from redis import Redis
from redis.exceptions import RedisError

from orchestration.db.uptime import UptimeReading, uptime

logger = logging.getLogger(__name__)

T = TypeVar("T")
State = Literal["closed", "open", "half-open"]

ANSWERS_WITHIN = timedelta(milliseconds=200)
SEEN_FOR = timedelta(
    seconds=1
)  # a trip by another process is noticed after at most this; until then a call costs no round trip
LEFT_ALONE_FOR = timedelta(seconds=5)  # not asked after a failure; so a hanging Redis costs a thread 4 % of its time
WARNED_FOR = timedelta(minutes=1)
FORGOTTEN_AFTER = timedelta(days=1)  # a record unchanged for so long says nothing about the other side

_MILLISECOND = timedelta(milliseconds=1)
_KEPT_MS = FORGOTTEN_AFTER // _MILLISECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Scripts read Redis' clock themselves, because a process with a wrong clock would open the breaker for the others.
# Tests pass a time as the first argument instead.
_BEGIN = """
local now = tonumber(ARGV[1])
if not now then
    local said = redis.call('TIME')
    now = said[1] * 1000 + math.floor(said[2] / 1000)
end
local function open(until_ms, kept_ms, ...)
    local left_ms = math.max(until_ms - now, 0)
    redis.call('SET', KEYS[1], string.format('%.0f', until_ms), 'PX', string.format('%.0f', left_ms + kept_ms), ...)
end
"""

_LOOK = f"""{_BEGIN}
return {{now, redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2]), redis.call('PTTL', KEYS[3])}}
"""

# NX: late failures of earlier calls do not postpone the reopening.
_TRIP = f"{_BEGIN} open(now + ARGV[2], ARGV[3], 'NX')"

_FORCE_OPEN = f"""{_BEGIN}
open(tonumber(ARGV[2]) or now + ARGV[3], ARGV[4])
redis.call('DEL', KEYS[3])
"""

# The reopening time is read again with the lease: another probe may have begun and ended since the last read.
_TAKE_PROBE = f"""{_BEGIN}
local open_until = redis.call('GET', KEYS[1])
local taken = false
if open_until and tonumber(open_until) <= now then
    taken = redis.call('SET', KEYS[3], ARGV[2], 'NX', 'PX', ARGV[3])
end
return {{taken and 1 or 0, now, open_until, redis.call('GET', KEYS[2]), redis.call('PTTL', KEYS[3])}}
"""

# A probe whose lease has ended, or that an operator has overruled, changes nothing.
_END_PROBE = f"""{_BEGIN}
if redis.call('GET', KEYS[3]) ~= ARGV[2] then return end
redis.call('DEL', KEYS[3])
if ARGV[3] == 'closed' then
    redis.call('DEL', KEYS[1], KEYS[2])
elseif ARGV[3] == 'open' then
    open(now + ARGV[4], ARGV[5])
end
"""


@dataclass(frozen=True)
class BreakerReading:
    """The record as it was read at one moment of Redis' clock. The defaults are a closed breaker."""

    at: datetime
    failures: int = 0
    open_until: datetime | None = None
    probe_until: datetime | None = None

    def state(self, now: datetime) -> State:
        if self.open_until is None:
            return "closed"
        return "open" if now < self.open_until else "half-open"

    def refused_until(self, now: datetime) -> datetime | None:
        """Return until when calls are refused; None if a call may be made (while half-open: as the probe)."""
        match self.state(now):
            case "closed":
                return None
            case "open":
                return self.open_until
            case "half-open":
                return self.probe_until

    def holds(self, now: datetime) -> bool:
        """Return whether it is recent enough to use. Half-open never is, because each probe changes it."""
        return self.state(now) != "half-open" and _lasts(self.at, SEEN_FOR, now)


class Record:
    """A breaker's record as calls use it: rarely read while closed, and treated as closed while Redis fails."""

    def __init__(self, name: str, *, redis: Callable[[], Redis], clock: Callable[[], datetime] | None) -> None:
        self.keys = BreakerKeys(name, redis, clock)
        self._name = name
        self._clock = clock
        self._seen: BreakerReading | None = None
        self._failed_at: datetime | None = None
        self._warned_at: datetime | None = None
        self._warning = Lock()
        self._reading = UptimeReading(datetime.now(UTC), uptime())  # this host's clock, until Redis has been read

    def now(self) -> datetime:
        """Return the time by Redis' clock: that of the last read plus this host's uptime since then."""
        return self._clock() if self._clock else self._reading.now()

    def look(self, now: datetime | None = None) -> BreakerReading:
        """Return the last read; read Redis again if that is too old."""
        now = now or self.now()
        seen = self._seen
        if seen is None or not seen.holds(now):
            seen = self._seen = self._ask(self._look, without=BreakerReading(at=now))
        return seen

    def take_probe(self, token: str, lease: timedelta) -> tuple[bool, BreakerReading]:
        """Take the lease if the breaker is half-open and the lease is free."""
        without = (False, BreakerReading(at=self.now()))
        return self._ask(lambda: self.keys.take_probe(None, token, lease), without=without)

    def end_probe(self, token: str, state: str, reset_after: timedelta) -> None:
        """Give the lease back and set the breaker to `state` (half-open: leave it as it is)."""
        self._ask(lambda: self.keys.end_probe(token, state, reset_after), without=None)
        self.forget_look()

    def count_failure(self) -> int:
        failures = self._ask(self.keys.count_failure, without=0)
        self.forget_look()
        return failures

    def forget_failures(self) -> None:
        """Reset the count of failures. A no-op if the last read showed none."""
        seen = self._seen
        if seen is None or seen.failures or not seen.holds(self.now()):
            self._ask(self.keys.forget_failures, without=None)
            self.forget_look()

    def trip(self, reset_after: timedelta) -> None:
        self._ask(lambda: self.keys.trip(reset_after), without=None)
        self.forget_look()

    def forget_look(self) -> None:
        """Make the next look read Redis."""
        self._seen = None

    def _look(self) -> BreakerReading:
        seen = self.keys.look()
        self._reading = UptimeReading(seen.at, uptime())
        return seen

    def _ask(self, question: Callable[[], T], *, without: T) -> T:
        """Ask Redis; return `without` while Redis fails."""
        now = self.now()
        if self._failed_at is not None and _lasts(self._failed_at, LEFT_ALONE_FOR, now):
            return without
        try:
            return question()
        except RedisError as error:
            self._failed_at = now
            self._warn(now, error)
            return without

    def _warn(self, now: datetime, error: RedisError) -> None:
        with self._warning:
            if self._warned_at is not None and _lasts(self._warned_at, WARNED_FOR, now):
                return
            self._warned_at = now
        logger.warning("breaker %s lets every call through: Redis failed: %s", self._name, error)


class BreakerKeys:
    """A breaker's three keys in Redis: reopening time (Unix ms), failures in a row, lease of the probe.

    Each method is one round trip and raises RedisError when it fails. The time is that of Redis, unless one is given.
    """

    def __init__(self, name: str, connect: Callable[[], Redis], clock: Callable[[], datetime] | None = None) -> None:
        self._clock = clock
        self._open_until = f"breaker:{{{name}}}:open_until"
        self._failures = f"breaker:{{{name}}}:failures"
        self._probe = f"breaker:{{{name}}}:probe"
        self._keys = (self._open_until, self._failures, self._probe)
        self._connect = connect

    @cached_property
    def _redis(self) -> Redis:
        return self._connect()

    def look(self, now: datetime | None = None) -> BreakerReading:
        return _seen(*self._run(_LOOK, now))

    def count_failure(self) -> int:
        writes = self._redis.pipeline()
        writes.incr(self._failures)
        writes.pexpire(self._failures, FORGOTTEN_AFTER)
        return int(writes.execute()[0])

    def forget_failures(self) -> None:
        self._redis.delete(self._failures)

    def trip(self, reset_after: timedelta) -> None:
        """Open the breaker for so long, unless it is open."""
        self._run(_TRIP, None, reset_after // _MILLISECOND, _KEPT_MS)

    def take_probe(self, now: datetime | None, token: str, lease: timedelta) -> tuple[bool, BreakerReading]:
        taken, *facts = self._run(_TAKE_PROBE, now, token, lease // _MILLISECOND)
        return bool(taken), _seen(*facts)

    def end_probe(self, token: str, state: str, reset_after: timedelta) -> None:
        self._run(_END_PROBE, None, token, state, reset_after // _MILLISECOND, _KEPT_MS)

    def force_open(self, until: datetime | timedelta) -> None:
        """Open the breaker until that time, or for so long."""
        at_ms = _to_ms(until) if isinstance(until, datetime) else ""
        for_ms = until // _MILLISECOND if isinstance(until, timedelta) else ""
        self._run(_FORCE_OPEN, None, at_ms, for_ms, _KEPT_MS)

    def close(self) -> None:
        self._redis.delete(*self._keys)

    def _run(self, script: str, now: datetime | None, *arguments: str | int) -> Any:
        at = self._clock() if self._clock and now is None else now
        return self._redis.eval(script, 3, *self._keys, _to_ms(at) if at else "", *arguments)


def connect(url: str) -> Redis:
    """Make a client that connects when it is first used and waits at most `ANSWERS_WITHIN`.

    `from_url` makes a client that does not retry (redis 8.1); `Redis()` would make one that does.
    """
    seconds = ANSWERS_WITHIN.total_seconds()
    return Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds)


def _lasts(since: datetime, span: timedelta, now: datetime) -> bool:
    """Return whether `span` has not ended yet. It also ends when the clock is set back."""
    return timedelta(0) <= now - since < span


def _seen(now_ms: int, open_until_ms: bytes | None, failures: bytes | None, probe_ms_left: int) -> BreakerReading:
    now = _EPOCH + now_ms * _MILLISECOND
    return BreakerReading(
        at=now,
        failures=int(failures or 0),
        open_until=None if open_until_ms is None else _EPOCH + int(open_until_ms) * _MILLISECOND,
        probe_until=None if probe_ms_left < 0 else now + probe_ms_left * _MILLISECOND,
    )


def _to_ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND
