"""The sweep's own parts: faults that happen once and leave evidence, and a sample that leaves nothing out."""

import os
import signal

import pytest
from uuid_utils.compat import uuid7

from orchestration.failpoints import Failpoint, FailpointKind, armed, cross
from orchestration.testing.faults import FITTING, Fault, FaultType
from tests.faults.cases import REAL, every_case, sample
from tests.faults.paths import PATHS
from tests.faults.plan import Files, RealFaults

SAGA, NEIGHBOUR = uuid7(), uuid7()


@pytest.fixture
def files(tmp_path) -> Files:
    return Files(tmp_path)


def lives(files: Files, fault: Fault) -> RealFaults:
    """Read a process's faults, as it does at its start."""
    if not files.plan.exists():
        files.write_plan({SAGA: fault})
    return RealFaults(files, recording=False)


def published(faults: RealFaults, saga=SAGA) -> int:
    """Count how often a message is sent that is published once."""
    sent: list[None] = []
    with armed(faults):
        cross(FailpointKind.PUBLISH, "inventory.reserve_stock", [saga], lambda: sent.append(None))
    return len(sent)


@pytest.mark.parametrize(("kind", "times"), [(FaultType.DUPLICATE, 2), (FaultType.LOST, 0)])
def test_a_fault_happens_once_over_all_lives_of_the_workers(files, kind: FaultType, times: int):
    fault = Fault("publish inventory.reserve_stock", kind)
    first = lives(files, fault)

    assert published(first, NEIGHBOUR) == 1
    assert published(first) == times
    assert published(first) == published(lives(files, fault)) == 1
    assert files.fired() == {SAGA: fault}


@pytest.mark.parametrize("kind", [FaultType.KILL_BEFORE, FaultType.KILL_AFTER])
def test_who_is_killed_has_left_evidence(files, kind: FaultType):
    fault = Fault("commit orders.place_order", kind)
    faults = lives(files, fault)
    failpoint = Failpoint(FailpointKind.COMMIT, "orders.place_order", [SAGA])

    pid = os.fork()
    if pid == 0:
        faults.before(failpoint)
        if kind is FaultType.KILL_AFTER:
            faults.after(failpoint)
        os._exit(0)

    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    assert files.fired() == {SAGA: fault}


def test_a_sample_has_every_fault_and_every_failpoint():
    every = list(every_case({path: path.marks for path in PATHS}))
    faults = [case.fault for case in sample(every, seed=1) if case.fault]

    met = {(FailpointKind(fault.failpoint.partition(" ")[0]), fault.kind) for fault in faults}
    assert met == {(place, kind) for place in FailpointKind for kind in FITTING[place] if kind in REAL}
    assert {fault.failpoint for fault in faults} == {failpoint for path in PATHS for failpoint in path.marks}
    assert len(faults) < len(every) / 4


def test_the_same_seed_chooses_the_same_cases():
    every = list(every_case({path: path.marks for path in PATHS}))

    assert sample(every, seed=1) == sample(every[::-1], seed=1)
    assert sample(every, seed=1) != sample(every, seed=2)
