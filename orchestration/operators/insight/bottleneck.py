"""The bottleneck: what delays sagas most at the moment, and the rule that found it. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from orchestration.operators.insight.breakers import BreakerNow
from orchestration.operators.insight.queues import QueueNow
from orchestration.operators.insight.sources import Unavailable
from orchestration.operators.insight.stats import Stats
from orchestration.text import formatting

T = TypeVar("T")

DEEP = 50
"""The least number of messages in a queue that can be a bottleneck."""
MOST = 0.5
"""The least share of all waiting messages, or of all time, that makes a bottleneck."""


@dataclass(frozen=True)
class Bottleneck:
    """What delays sagas most: `what` is a queue, a breaker or a step; `rule` says why it was chosen."""

    what: str
    rule: str


@dataclass(frozen=True)
class ReadSources:
    """The sources that the bottleneck is decided from, as far as they could be read."""

    queues: Sequence[QueueNow] | Unavailable
    breakers: Sequence[BreakerNow] | Unavailable
    stats: Stats | Unavailable


def bottleneck(seen: ReadSources) -> Bottleneck | None:
    """Return the result of the first rule that applies; None if no rule does."""
    return next((found for rule in RULES if (found := rule(seen))), None)


def _stranded_queue(seen: ReadSources) -> Bottleneck | None:
    stranded = [queue for queue in _readable(seen.queues) if queue.is_stranded]
    if not stranded:
        return None
    worst = max(stranded, key=_messages)
    return Bottleneck(
        worst.name,
        f"{formatting.count(_messages(worst), 'message')} waiting in queue {worst.name}, which has no consumer",
    )


def _open_breaker(seen: ReadSources) -> Bottleneck | None:
    opened = [breaker for breaker in _readable(seen.breakers) if breaker.state != "closed"]
    if not opened:
        return None
    return Bottleneck(opened[0].name, f"breaker {opened[0].name} is {opened[0].state}")


def _deepest_queue(seen: ReadSources) -> Bottleneck | None:
    found = _readable(seen.queues)
    waiting = sum(map(_messages, found))
    deepest = max(found, key=_messages, default=None)
    if deepest is None or _messages(deepest) < max(DEEP, MOST * waiting):
        return None
    sentence = f"{_messages(deepest)} of {waiting} waiting messages are in queue {deepest.name}"
    return Bottleneck(deepest.name, sentence)


def _longest_step(seen: ReadSources) -> Bottleneck | None:
    if isinstance(seen.stats, Unavailable) or not seen.stats.steps:
        return None
    longest = max(seen.stats.steps, key=lambda step: step.share)
    if longest.share < MOST:
        return None
    return Bottleneck(
        longest.step, f"{longest.step} takes {longest.share:.0%} of the time of the sagas that ended last"
    )


RULES: tuple[Callable[[ReadSources], Bottleneck | None], ...] = (
    _stranded_queue,
    _open_breaker,
    _deepest_queue,
    _longest_step,
)
"""The rules in order: a missing consumer, an open breaker, a long queue, a slow step."""


def _messages(queue: QueueNow) -> int:
    return queue.messages or 0


def _readable(found: Sequence[T] | Unavailable) -> Sequence[T]:
    return () if isinstance(found, Unavailable) else found
