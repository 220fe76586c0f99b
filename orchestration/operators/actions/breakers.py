"""What an operator can do to a circuit breaker: open it or close it."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta

from redis.exceptions import RedisError

from orchestration.models.actions import MachineryAction
from orchestration.operators.actions.recorded_action import Logged, NotDone, on_record
from orchestration.operators.actions.requests import Actor, MachineryAsk
from orchestration.operators.insight.breakers import look
from orchestration.operators.insight.sources import Unavailable
from orchestration.participant.breaker import Breaker
from orchestration.participant.breaker_registry import in_use_by_service, shared_now


class NoSuchBreaker(NotDone):
    """This process has no breaker of that name."""


class RedisAway(NotDone):
    """Redis does not answer; breakers count as closed meanwhile."""


def time_after(span: timedelta) -> datetime:
    """Return the time that is `span` from now by the clock of Redis, which breakers use.

    :raises RedisAway: when Redis does not answer.
    """
    try:
        return shared_now() + span
    except RedisError as error:
        raise RedisAway(str(error)) from error


def open_breaker(name: str, *, until: datetime | None, actor: Actor, reason: str) -> None:
    """Open the breaker, so that no external call is made until this time.

    With `until` None it stays open for its `reset_after`; then a call probes, as after failures.

    :raises NoSuchBreaker: when there is no breaker of that name.
    :raises NotAsked: when the operator or the reason is missing.
    :raises NotDone: when Redis is unavailable, or the action cannot be recorded; the breaker is not opened then.
    :raises NotKnown: when Redis failed during the action.
    """
    wanted = {"until": until.isoformat() if until else None}
    ask = MachineryAsk(MachineryAction.OPEN_BREAKER, actor, reason, name, wanted)
    _change(ask, lambda breaker: breaker.force_open(until=until))


def close_breaker(name: str, *, actor: Actor, reason: str) -> None:
    """Close the breaker and reset its failures, so that calls are made again. Processes see it within a second.

    :raises NoSuchBreaker: when there is no breaker of that name.
    :raises NotAsked: when the operator or the reason is missing.
    :raises NotDone: when Redis is unavailable, or the action cannot be recorded.
    :raises NotKnown: when Redis failed during the action.
    """
    _change(MachineryAsk(MachineryAction.CLOSE_BREAKER, actor, reason, name), Breaker.close)


def _change(ask: MachineryAsk, change: Callable[[Breaker], None]) -> None:
    service, breaker = _named(ask.subject)
    before = _as_logged(service, breaker)
    if isinstance(before, Unavailable):
        raise RedisAway(before.why)
    on_record(ask, before=before, act=lambda: change(breaker), after=lambda _: _seen(service, breaker))


def _seen(service: str, breaker: Breaker) -> Logged | None:
    logged = _as_logged(service, breaker)
    return None if isinstance(logged, Unavailable) else logged


def _as_logged(service: str, breaker: Breaker) -> Logged | Unavailable:
    found = look(service, breaker)
    if isinstance(found, Unavailable):
        return found
    return {**asdict(found), "next_probe": found.next_probe and found.next_probe.isoformat()}


def _named(name: str) -> tuple[str, Breaker]:
    try:
        return in_use_by_service()[name]
    except KeyError:
        raise NoSuchBreaker(f"no breaker is called {name!r}") from None
