"""The circuit breakers as operators see them."""

from dataclasses import dataclass
from datetime import datetime

from orchestration.operators.insight.sources import Unavailable, read
from orchestration.participant.breaker import Breaker
from orchestration.participant.breaker_redis import BreakerReading, State
from orchestration.participant.breaker_registry import in_use_by_service
from orchestration.participant.external import ExternalCommand
from orchestration.participant.participant import ParticipantCommand, participants


@dataclass(frozen=True)
class BreakerNow:
    """One breaker. `next_probe` is when a call is let through as a probe; None while closed.

    If `next_probe` is in the past, the next call is the probe.
    """

    name: str
    service: str
    state: State
    failures: int
    next_probe: datetime | None


def breakers() -> tuple[BreakerNow, ...] | Unavailable:
    """Return every breaker with its state in Redis, by name; `Unavailable` while Redis is down."""
    return read("Redis", lambda: tuple(_read(service, breaker) for service, breaker in in_use_by_service().values()))


def breaker_of(service: str, command: ParticipantCommand) -> Breaker | None:
    """Return the breaker around a command's external call, if it makes one."""
    work = participants()[service].commands.get(command) if service in participants() else None
    return work.breaker if isinstance(work, ExternalCommand) else None


def look(service: str, breaker: Breaker) -> BreakerNow | Unavailable:
    """Return one breaker with its state in Redis."""
    return read("Redis", lambda: _read(service, breaker))


def _read(service: str, breaker: Breaker) -> BreakerNow:
    seen = breaker.look_closely()
    return BreakerNow(breaker.name, service, seen.state(seen.at), seen.failures, _next_probe(seen, seen.at))


def _next_probe(seen: BreakerReading, now: datetime) -> datetime | None:
    return None if seen.state(now) == "closed" else seen.refused_until(now) or seen.open_until
