"""The breakers of this process, one for each external system, made from the settings."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

from django.conf import settings

from orchestration.participant.breaker import Breaker
from orchestration.participant.breaker_redis import connect
from orchestration.participant.external import ExternalCommand
from orchestration.participant.participant import participants


@cache
def breaker_for(name: str, *, counts: tuple[type[Exception], ...]) -> Breaker:
    """Return the breaker around calls to `name`, "payments.gateway". `counts` are the errors that count as failures."""
    return Breaker(
        settings.TOPOLOGY.name(name),
        redis=lambda: connect(settings.REDIS_URL),
        counts=counts,
        fail_max=settings.BREAKER_FAIL_MAX,
        reset_after=settings.BREAKER_RESET,
    )


def shared_now() -> datetime:
    """Return the time by Redis' clock.

    :raises RedisError: when Redis does not answer.
    """
    with connect(settings.REDIS_URL) as redis:
        seconds, microseconds = redis.time()
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)


def in_use() -> Mapping[str, Breaker]:
    """Return every breaker that a command of a service uses, by name."""
    return {name: breaker for name, (_, breaker) in in_use_by_service().items()}


def in_use_by_service() -> Mapping[str, tuple[str, Breaker]]:
    """Return every breaker by name, each with the service that uses it."""
    found = {
        work.breaker.name: (service, work.breaker)
        for service, participant in participants().items()
        for work in participant.commands.values()
        if isinstance(work, ExternalCommand)
    }
    return dict(sorted(found.items()))
