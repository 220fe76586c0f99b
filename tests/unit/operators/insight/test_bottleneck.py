"""What holds sagas up most, and by which rule."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.operators.insight.bottleneck import ReadSources, bottleneck
from orchestration.operators.insight.breakers import BreakerNow
from orchestration.operators.insight.counts import Count
from orchestration.operators.insight.queues import QueueNow
from orchestration.operators.insight.sources import Unavailable
from orchestration.operators.insight.stats import Durations, Stats, StepStats

NONE = Durations(0, None, None, None)
AWAY = Unavailable("it does not answer")


def stats(**shares: float) -> Stats:
    steps = tuple(StepStats(step, NONE, share) for step, share in shares.items())
    return Stats(timedelta(minutes=15), Count(0), 0.0, 0.0, None, NONE, steps)


CALM = ReadSources(
    queues=(QueueNow("inventory", 3, 2), QueueNow("payments", 0, 2)),
    breakers=(BreakerNow("payments.gateway", "payments", "closed", 0, None),),
    stats=stats(reserve_stock=0.4, authorise_payment=0.4, place_order=0.2),
)
SLOW = replace(CALM, stats=stats(reserve_stock=0.38, authorise_payment=0.62))
DEEP = replace(SLOW, queues=(QueueNow("inventory", 40, 2), QueueNow("payments", 60, 2)))
OPEN = replace(
    DEEP, breakers=(BreakerNow("payments.gateway", "payments", "open", 5, datetime(2026, 1, 1, tzinfo=UTC)),)
)
STRANDED = replace(OPEN, queues=(QueueNow("inventory", 1, 0), QueueNow("shipping", 7, 0), QueueNow("payments", 60, 2)))


@pytest.mark.parametrize(
    ("seen", "what", "rule"),
    [
        (SLOW, "authorise_payment", "authorise_payment takes 62% of the time of the sagas that ended last"),
        (DEEP, "payments", "60 of 100 waiting messages are in queue payments"),
        (OPEN, "payments.gateway", "breaker payments.gateway is open"),
        (STRANDED, "shipping", "7 messages waiting in queue shipping, which has no consumer"),
    ],
)
def test_the_first_rule_that_applies_names_it(seen: ReadSources, what: str, rule: str) -> None:
    found = bottleneck(seen)
    assert found is not None
    assert (found.what, found.rule) == (what, rule)


def test_when_nothing_stands_out_nothing_is_named() -> None:
    assert bottleneck(CALM) is None


def test_what_cannot_be_read_applies_no_rule() -> None:
    assert bottleneck(ReadSources(AWAY, AWAY, AWAY)) is None
