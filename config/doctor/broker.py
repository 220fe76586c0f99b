"""Whether the broker is there, has the right queues, and somebody consumes them; and the same of Redis."""

from collections.abc import Iterator, Mapping

from django.conf import settings
from kombu import Connection

from config.doctor.lines import Line, fail, ok, warn
from config.readiness import CHECKS
from orchestration.insight.reading import Unavailable, at_the_broker
from orchestration.topology import Depth

DEEP = 10_000  # messages


def look() -> Iterator[Line]:
    """Lines about RabbitMQ, each queue that is not as it should be, the dead letters, and Redis."""
    found = at_the_broker(_queues)
    if isinstance(found, Unavailable):
        yield fail("broker", found.why, "bring it up: orders are accepted meanwhile, and sent when it is back")
    else:
        yield ok("broker", "answers")
        yield from _of_queues(*found)
    yield _of_redis()


def _queues(connection: Connection) -> tuple[dict[str, Depth], dict[str, str]]:
    return settings.TOPOLOGY.depths(connection), settings.TOPOLOGY.differing(connection)


def _of_queues(depths: Mapping[str, Depth], differing: Mapping[str, str]) -> Iterator[Line]:
    named = [queue.name for queue in (*settings.TOPOLOGY.queues, settings.TOPOLOGY.dead_letter_queue)]
    bad = [*_missing(named, depths), *_differing(differing), *_consumed(depths)]
    yield from bad or [ok("queues", f"all {len(named)} are there as they should be, and consumed")]
    dead = depths.get(settings.TOPOLOGY.dead_letter_queue.name)
    if dead and dead.messages:
        yield warn("dead letters", f"{dead.messages}", "look at them in the admin; send again, or discard, each")
    elif dead:
        yield ok("dead letters", "none")


def _missing(named: list[str], depths: Mapping[str, Depth]) -> Iterator[Line]:
    for name in named:
        if name not in depths:
            yield fail(f"queue {name}", "the broker has none", "manage.py declare_queues")


def _differing(differing: Mapping[str, str]) -> Iterator[Line]:
    for name, said in differing.items():
        do = "drain and delete it, then manage.py declare_queues; or set SHOP_QUEUE_TYPE to what it is"
        yield fail(f"queue {name}", f"it has other properties: {said}", do)


def _consumed(depths: Mapping[str, Depth]) -> Iterator[Line]:
    for name, depth in depths.items():
        if name == settings.TOPOLOGY.dead_letter_queue.name:
            continue
        if not depth.consumers:
            yield fail(
                f"queue {name}", f"nobody consumes it; {depth.messages} messages wait", f"start a worker with -Q {name}"
            )
        elif depth.messages >= DEEP:
            yield warn(f"queue {name}", f"{depth.messages} messages wait", "start more workers for it")


def _of_redis() -> Line:
    if why := CHECKS["redis"]():
        return warn("Redis", why, "bring it up: until then every call goes to a gateway that may be down")
    return ok("Redis", "answers")
