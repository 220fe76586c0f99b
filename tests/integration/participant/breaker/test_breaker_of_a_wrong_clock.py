"""A breaker that a process with a wrong clock has tripped."""

from datetime import timedelta

import pytest

from orchestration.participant.breaker_registry import shared_now
from tests.integration.participant.breaker.callers import RESET_AFTER, MakeBreaker
from tests.support.faketime import AHEAD, BEHIND, run_python

TRIP = """
import os
from functools import partial
from datetime import timedelta
from orchestration.participant.breaker import Breaker
from orchestration.participant.breaker_redis import connect
redis = partial(connect, os.environ["SHOP_REDIS_URL"])
breaker = Breaker(os.environ["NAME"], redis=redis, counts=(OSError,), fail_max=1, reset_after=timedelta(seconds=30))
try:
    with breaker.calling():
        raise OSError
except OSError:
    print(breaker.state())
"""


@pytest.mark.parametrize("offset", [AHEAD, BEHIND])
def test_it_is_tried_again_after_its_time_by_everybody(make: MakeBreaker, name: str, offset: str) -> None:
    said = run_python(TRIP, offset=offset, env={"NAME": name})

    breaker = make(clock=None)
    until = breaker.open_until()
    assert (said.strip(), breaker.state()) == ("open", "open")
    assert until is not None
    assert timedelta(0) < until - shared_now() <= RESET_AFTER
