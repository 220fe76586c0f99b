"""Failpoints do nothing unless they are allowed and armed."""

from uuid import uuid4

import pytest

from orchestration import failpoints
from orchestration.failpoints import Failpoint, FailpointKind, NotAllowed
from orchestration.testing.faults import Crash, Fault, FaultType, Plan

SAGA = uuid4()
PUBLISH = "publish inventory.reserve_stock"


def cross(act) -> object:
    return failpoints.cross(FailpointKind.PUBLISH, "inventory.reserve_stock", [SAGA], act)


def test_what_is_not_armed_is_crossed_once():
    crossed = []

    assert cross(lambda: crossed.append(1) or "done") == "done"
    assert crossed == [1]
    assert not failpoints.is_armed()


def test_a_process_whose_settings_do_not_allow_it_cannot_be_armed(settings):
    settings.FAULT_POINTS = False

    with pytest.raises(NotAllowed, match="SHOP_FAULT_POINTS"):
        failpoints.arm(Plan())
    assert not failpoints.is_armed()


def test_it_is_armed_for_a_while_only():
    with failpoints.armed(Plan()):
        assert failpoints.is_armed()
    assert not failpoints.is_armed()


@pytest.mark.parametrize(("kind", "times"), [(FaultType.KILL_BEFORE, 0), (FaultType.KILL_AFTER, 1)])
def test_a_process_dies_on_the_side_it_is_asked_to(kind, times):
    crossed = []

    with failpoints.armed(Plan([Fault(PUBLISH, kind)])), pytest.raises(Crash):
        cross(lambda: crossed.append(1))
    assert len(crossed) == times


def test_a_message_may_be_doubled():
    crossed = []
    with failpoints.armed(Plan([Fault(PUBLISH, FaultType.DUPLICATE)])):
        cross(lambda: crossed.append(1))

    assert len(crossed) == 2


def test_a_message_may_be_lost_on_its_way():
    class Loses(Plan):
        def times(self, failpoint: Failpoint) -> int:
            return 0

    with failpoints.armed(Loses()):
        assert cross(lambda: pytest.fail("it was sent")) is None


def test_a_refusal_is_a_reply_that_can_be_lost_as_well():
    def refuse() -> None:
        raise ValueError

    with failpoints.armed(Plan([Fault(PUBLISH, FaultType.KILL_AFTER)])), pytest.raises(Crash):
        cross(refuse)


def test_the_second_crossing_can_be_meant():
    plan = Plan([Fault(PUBLISH, FaultType.KILL_AFTER, nth=2)])

    with failpoints.armed(plan):
        cross(lambda: None)
        with pytest.raises(Crash):
            cross(lambda: None)
    assert [str(each) for each in plan.fired] == [f"kill after at {PUBLISH} #2"]
