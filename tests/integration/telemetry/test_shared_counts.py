"""Counts of several processes in one place: none is lost, none is counted twice, and Redis may be away."""

from typing import Any
from uuid import uuid4

import pytest
from redis.exceptions import ConnectionError as RedisAway

from orchestration.messaging.topology import Topology
from orchestration.participant.breaker_redis import connect
from orchestration.telemetry import local_counts, redis_counts
from orchestration.telemetry.metric_definitions import STARTED
from orchestration.telemetry.redis_counts import Handover

KEY = STARTED.key("checkout.v2")


class LostReply:
    """Redis, of which the reply to the first of all evaluations is lost."""

    def __init__(self, url: str) -> None:
        self._redis, self._is_first = connect(url), True

    def eval(self, *asked: Any) -> Any:
        reply = self._redis.eval(*asked)
        if self._is_first:
            self._is_first = False
            raise RedisAway("the reply is lost")
        return reply


@pytest.fixture(autouse=True)
def own_counts(settings):
    """Nobody else's."""
    settings.TOPOLOGY = Topology(prefix=f"{uuid4().hex}.", queue_type="classic")
    local_counts.take()
    yield
    redis = connect(settings.REDIS_URL)
    for key in redis.keys(f"*{settings.TOPOLOGY.name('metrics')}*"):
        redis.delete(key)


def test_what_several_processes_have_counted_is_added_up(settings):
    for _ in range(3):
        local_counts.add([(KEY, 2)])
        Handover(connect(settings.REDIS_URL)).hand_over()
    assert redis_counts.totals() == {KEY: 6}


def test_a_hand_over_whose_reply_was_lost_is_not_counted_twice(settings):
    handover = Handover(LostReply(settings.REDIS_URL))
    local_counts.add([(KEY, 1)])
    with pytest.raises(RedisAway):
        handover.hand_over()
    local_counts.add([(KEY, 1)])
    handover.hand_over()
    assert redis_counts.totals() == {KEY: 1}
    handover.hand_over()
    assert redis_counts.totals() == {KEY: 2}


def test_what_cannot_be_handed_over_is_kept():
    handover = Handover(connect("redis://127.0.0.1:1/0"))
    local_counts.add([(KEY, 1)])
    with pytest.raises(RedisAway):
        handover.hand_over()
    assert redis_counts.totals() == {}


def test_a_forked_process_counts_anew():
    local_counts.add([(KEY, 1)])
    local_counts.forget()
    local_counts.add([(KEY, 1)])
    assert local_counts.take() == {KEY: 1}
