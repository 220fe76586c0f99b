"""The circuit breaker around calls to an external system, shared by all processes of a service."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta

from pybreaker import CircuitBreaker, CircuitBreakerStorage
from redis import Redis

from orchestration.participant.breaker_redis import BreakerReading, Record, State


class BreakerOpen(Exception):
    """The breaker `name` is open. The call was not made, so it is no attempt. Retry at `until` (aware UTC).

    `until` is by Redis' clock. `wait`, if known, is the time until then when the error was raised.
    """

    def __init__(self, name: str, until: datetime, wait: timedelta | None = None) -> None:
        super().__init__(name, until, wait)
        self.name = name
        self.until = until
        self.wait = wait

    def __str__(self) -> str:
        return f"breaker {self.name} is open until {self.until.isoformat()}"


@dataclass(eq=False)
class Breaker:
    """A circuit breaker that all processes and threads share under its name.

    `fail_max` consecutive failures open it for `reset_after`. Then one call at a time, the probe, is made, and its
    result decides. An exception in `counts` is a failure. Any other exception is an answer, so it counts as a success.
    A call that is stopped with its process (SystemExit) counts as neither. Without Redis the breaker is closed.
    `probe_lease` must be longer than the longest call: a probe without a result for so long is taken for dead.
    `redis` makes the client when it is first needed; `breaker_redis.connect` makes one that waits only briefly.
    All times are by Redis' clock, which all processes share, unless `clock` is given.
    """

    name: str
    _: KW_ONLY
    redis: Callable[[], Redis]
    counts: tuple[type[Exception], ...]
    fail_max: int = 5
    reset_after: timedelta = timedelta(seconds=30)
    probe_lease: timedelta = timedelta(seconds=30)
    clock: Callable[[], datetime] | None = None

    def __post_init__(self) -> None:
        shortest = min(self.reset_after, self.probe_lease)
        if not self.counts or self.fail_max < 1 or shortest < timedelta(milliseconds=1):
            raise ValueError(f"breaker {self.name}: counts nothing, fail_max below 1, or a time below 1 ms")
        self._record = Record(self.name, redis=self.redis, clock=self.clock)

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Run the body as one call and record its result.

        :raises BreakerOpen: when open, or half-open while a probe runs. The body is not run.
        """
        call = self._enter()
        try:
            yield
        except Exception as error:
            self._judge(call, error)
            raise
        except BaseException:
            call.abandon()
            raise
        self._judge(call, None)

    def open_until(self) -> datetime | None:
        """Return the time until which `calling` would refuse; None if it would not. Change nothing."""
        seen = self._record.look()
        return seen.refused_until(self._record.now())

    def state(self) -> State:
        """Return its present state."""
        seen = self._record.look()
        return seen.state(self._record.now())

    def look_closely(self) -> BreakerReading:
        """Read the record from Redis now, even if the last read is recent.

        :raises RedisError: when Redis cannot be reached; calls continue as if the breaker were closed.
        """
        return self._record.keys.look()

    def force_open(self, *, until: datetime | None = None) -> None:
        """Open it until `until` (aware; default: for `reset_after`). Reports of running calls do not change that.

        :raises RedisError: when Redis cannot be reached; nothing is open then.
        """
        self._record.keys.force_open(until or self.reset_after)
        self._record.forget_look()

    def close(self) -> None:
        """Close it and forget its failures.

        :raises RedisError: when Redis cannot be reached.
        """
        self._record.keys.close()
        self._record.forget_look()

    def refusal(self, until: datetime) -> BreakerOpen:
        """Return the error for calls that are refused until this time."""
        return BreakerOpen(self.name, until, max(until - self._record.now(), timedelta(0)))

    def _enter(self) -> "_Call":
        seen, probe = self._record.look(), None
        if seen.state(self._record.now()) == "half-open":
            token = secrets.token_hex(8)
            taken, seen = self._record.take_probe(token, self.probe_lease)
            probe = token if taken else None
        until = seen.refused_until(self._record.now())
        if until is not None and probe is None:
            raise self.refusal(until)
        return _Call(self._record, self.reset_after, probe)

    def _judge(self, call: "_Call", error: Exception | None) -> None:
        """Let pybreaker decide what the end of a call changes.

        Each call gets a circuit of its own: calls share no lock, and each is judged by the state that it began in.
        """
        circuit = CircuitBreaker(
            fail_max=self.fail_max,
            exclude=[lambda raised: not isinstance(raised, self.counts)],
            state_storage=call,
            throw_new_error_on_trip=False,
        )
        try:
            circuit.call(_end_with, error)
        except Exception as raised:
            if raised is not error:
                raise


class _Call(CircuitBreakerStorage):
    """One call as pybreaker's storage: closed, or half-open when it holds the lease `probe`."""

    success_counter = 1  # one good probe is enough
    opened_at: datetime | None = None  # the reopening time is kept instead

    def __init__(self, record: Record, reset_after: timedelta, probe: str | None) -> None:
        super().__init__("call")
        self._record = record
        self._reset_after = reset_after
        self._probe = probe
        self._failures = 0

    @property
    def state(self) -> str:
        return "closed" if self._probe is None else "half-open"

    @state.setter
    def state(self, state: str) -> None:
        if self._probe is None:
            self._record.trip(self._reset_after)  # the only way out of closed
        else:
            self._record.end_probe(self._probe, state, self._reset_after)

    @property
    def counter(self) -> int:
        return self._failures

    def increment_counter(self) -> None:
        if self._probe is None:
            self._failures = self._record.count_failure()

    def reset_counter(self) -> None:
        if self._probe is None:
            self._record.forget_failures()

    def abandon(self) -> None:
        """Release the probe, if this call was it."""
        if self._probe is not None:
            self._record.end_probe(self._probe, "half-open", self._reset_after)


def _end_with(error: Exception | None) -> None:
    if error is not None:
        raise error
