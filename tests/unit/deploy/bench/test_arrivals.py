"""When orders are due."""

import random
import time

import pytest

from deploy.bench.arrivals import ClosedLoop, Poisson
from deploy.bench.variants import VARIANTS


def test_customers_come_as_often_as_asked_and_as_they_like() -> None:
    long_ago = 1_000_000.0
    arrivals = Poisson(200.0, chance=random.Random(1), begin=long_ago)
    due = [arrivals.next() or 0.0 for _ in range(4000)]
    gaps = [later - earlier for earlier, later in zip([long_ago, *due], due, strict=False)]
    assert due == sorted(due)
    assert due[-1] - long_ago == pytest.approx(4000 / 200, rel=0.1)
    longer_than_average = sum(gap > 1 / 200 for gap in gaps) / len(gaps)
    assert longer_than_average == pytest.approx(0.368, abs=0.03)  # 1 / e: as in a Poisson process, not in a metronome


def test_an_order_that_is_late_was_due_when_it_was_due() -> None:
    begin = time.time() - 60
    arrivals = Poisson(1.0, chance=random.Random(1), begin=begin)
    asked_at = time.monotonic()
    due = arrivals.next()
    assert due is not None
    assert begin < due < time.time() - 30
    assert time.monotonic() - asked_at < 5


def test_nobody_comes_after_the_end() -> None:
    arrivals = Poisson(0.001, chance=random.Random(1), begin=time.time())
    arrivals.stop()
    assert arrivals.next() is None


def test_a_closed_loop_starts_an_order_for_each_that_has_ended() -> None:
    arrivals = ClosedLoop(2)
    assert [arrivals.next() is not None for _ in range(2)] == [True, True]
    arrivals.ended(1)
    assert arrivals.next() is not None
    assert arrivals._room.acquire(blocking=False) is False


def test_a_closed_loop_that_is_full_ends_when_it_is_stopped() -> None:
    arrivals = ClosedLoop(1)
    arrivals.next()
    arrivals.stop()
    assert arrivals.next() is None


def test_load_is_a_share_of_what_base_did() -> None:
    assert VARIANTS["load"].rate(300.0) == pytest.approx(210.0)
    assert VARIANTS["low"].rate(300.0) == 10.0
    assert VARIANTS["hot"].rate(300.0) is None


@pytest.mark.parametrize("base", [None, 0.0])
def test_a_share_of_nothing_is_refused(base: float | None) -> None:
    with pytest.raises(ValueError, match="base placed no orders"):
        VARIANTS["load"].rate(base)
