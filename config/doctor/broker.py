"""Checks of RabbitMQ (reachable, the right queues, consumers, dead letters), of Redis and its breakers."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from django.conf import settings
from kombu import Connection
from redis.exceptions import RedisError

from config.doctor.databases import SKEW_BORNE
from config.doctor.lines import Line, fail, ok, warn
from config.readiness import CHECKS
from orchestration.messaging.topology import Depth
from orchestration.operators.insight.breakers import breakers
from orchestration.operators.insight.sources import Unavailable, at_the_broker
from orchestration.participant.breaker_registry import shared_now
from orchestration.text import formatting

DEEP = 10_000  # messages


def look() -> Iterator[Line]:
    """Check RabbitMQ, its queues, the dead letters, Redis and the breakers. A queue gets a line
    only if it has a problem.
    """
    found = at_the_broker(_queues)
    if isinstance(found, Unavailable):
        yield fail("broker", found.why, "start it: orders are still accepted, and are dispatched when it is back")
    else:
        yield ok("broker", "answers")
        yield from _of_queues(*found)
    yield _of_redis()
    yield from _of_its_clock()
    yield from _of_breakers()


def _queues(connection: Connection) -> tuple[dict[str, Depth], dict[str, str]]:
    return settings.TOPOLOGY.depths(connection), settings.TOPOLOGY.differing(connection)


def _of_queues(depths: Mapping[str, Depth], differing: Mapping[str, str]) -> Iterator[Line]:
    named = [queue.name for queue in (*settings.TOPOLOGY.queues, settings.TOPOLOGY.dead_letter_queue)]
    bad = [*_missing(named, depths), *_differing(differing), *_consumed(depths)]
    yield from bad or [ok("queues", f"all {len(named)} exist as declared{_and_consumed(depths)}")]
    dead = depths.get(settings.TOPOLOGY.dead_letter_queue.name)
    if dead and dead.messages:
        yield warn("dead letters", f"{dead.messages}", "in the admin, send each again or discard it")
    elif dead:
        yield ok("dead letters", "none")


def _missing(named: list[str], depths: Mapping[str, Depth]) -> Iterator[Line]:
    for name in named:
        if name not in depths:
            yield fail(f"queue {name}", "missing", "manage.py declare_queues")


def _differing(differing: Mapping[str, str]) -> Iterator[Line]:
    for name, said in differing.items():
        do = "drain and delete it, then manage.py declare_queues; or set SHOP_QUEUE_TYPE to its type"
        yield fail(f"queue {name}", f"declared with other properties: {said}", do)


def _consumed(depths: Mapping[str, Depth]) -> Iterator[Line]:
    for name, depth in depths.items():
        if name == settings.TOPOLOGY.dead_letter_queue.name:
            continue
        if depth.consumers == 0:
            yield fail(f"queue {name}", f"no consumer, {_waiting(depth)}", f"start a worker with -Q {name}")
        elif depth.messages >= DEEP:
            yield warn(f"queue {name}", _waiting(depth), "start more workers for it")


def _waiting(depth: Depth) -> str:
    return f"{formatting.count(depth.messages, 'message')} waiting"


def _and_consumed(depths: Mapping[str, Depth]) -> str:
    known = all(depth.consumers is not None for depth in depths.values())
    return ", and have consumers" if known else "; this broker does not report their consumers"


def _of_redis() -> Line:
    if why := CHECKS["redis"]():
        return warn("Redis", why, "start it: until then no breaker protects the gateway from calls")
    return ok("Redis", "answers")


def _of_its_clock() -> Iterator[Line]:
    """Yield a line if the clock of Redis differs from this host's. Yield nothing if Redis does not answer."""
    asked_at = datetime.now(UTC)
    try:
        said = shared_now()
    except RedisError:
        return
    ahead = min(said - asked_at, timedelta(0)) or max(said - datetime.now(UTC), timedelta(0))
    if abs(ahead) > SKEW_BORNE:
        do = "set the clocks (NTP); until then breakers use the clock of Redis in every process"
        yield fail("clock of Redis", f"{ahead.total_seconds():+.1f} s beside this host's", do)


def _of_breakers() -> Iterator[Line]:
    """Yield lines about the breakers. Yield nothing if Redis does not answer: its own line reports that."""
    found = breakers()
    if isinstance(found, Unavailable):
        return
    not_closed = [each for each in found if each.state != "closed"]
    for each in not_closed:
        failures = formatting.count(each.failures, "consecutive failure")
        seen = f"{each.state} after {failures}, next probe {formatting.moment(each.next_probe)}"
        yield warn(f"breaker {each.name}", seen, "see the provider's status page; manage.py breakers list")
    if not not_closed:
        yield ok("breakers", f"all {len(found)} are closed")
