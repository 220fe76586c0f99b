"""The crash sweep: real workers and clients, killed, doubled and cut off at every failpoint that an order crosses.

`make test` runs a sample. With SWEEP=all (`make sweep`) every fault of every path is tried, with SWEEP="words" those
whose name contains the words: "cancelled; lost", "kill after at conclude".
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from orchestration.failpoints import FailpointKind
from orchestration.operators.audit.violations import violations
from tests.faults.cases import Case, every_case, sample
from tests.faults.forks import Zygote
from tests.faults.paths import PATHS, SKU, Path
from tests.faults.table import reported
from tests.faults.wave import Ended, run, story
from tests.support.broker import dead_letters, waiting_messages
from tests.support.processes import ALL_QUEUES
from tests.support.shop import Shop

WAVE = 24
SEED = 3
ALONE = 3
"""How often a case is run again, alone, if its fault did not happen, and a path if it was not taken. The cause is the
death of another process, or chance: an ill gateway may be called again, and be well, before the deadline.
"""

Crossed = Mapping[Path, Sequence[str]]


@pytest.fixture
def zygote(workforce, clean_slate, settings, hands_over_locally) -> Iterator[Zygote]:
    """Start the process that forks workers and clients."""
    workforce.close()
    queues = [settings.TOPOLOGY.name(queue) for queue in ALL_QUEUES]
    started = Zygote(queues, {"SHOP_GO_ON_HERE": str(hands_over_locally)})
    yield started
    started.close()


@pytest.fixture
def crossed(zygote: Zygote, hands_over_locally: bool) -> Crossed:
    """Return the failpoints that each path crosses without faults.

    Where steps go on without messages, chance decides from which step a saga is dispatched again, and so which messages
    there are: only failpoints crossed in both of two runs count. The other mode, with messages, has all of them.
    """
    Shop().stock(100_000, SKU)
    points = recorded(zygote, hands_over_locally)
    if not hands_over_locally:
        return points
    again = recorded(zygote, hands_over_locally)
    return {path: [each for each in points[path] if each in again[path]] for path in points.keys() & again.keys()}


def recorded(zygote: Zygote, hands_over_locally: bool) -> Crossed:
    """Record the failpoints that orders cross on each path."""
    found: dict[Path, Sequence[str]] = {}
    for _ in range(ALONE):
        ended = run(zygote, [Case(path) for path in PATHS if path not in found], recording=True)
        assert_all_is_well(ended)
        taken = [each for each in ended if each.case.path.is_taken(each.crossed, hands_over_locally=hands_over_locally)]
        found |= {each.case.path: each.crossed for each in taken}
        if len(found) == len(PATHS):
            break
    return found


@pytest.mark.minutes
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("hands_over_locally", [False, True], ids=["a message for each step", "one message"])
def test_an_order_survives_each_fault_at_each_failpoint(zygote, crossed, capsys):
    assert [path.name for path in PATHS if path not in crossed] == []
    assert {failpoint.partition(" ")[0] for points in crossed.values() for failpoint in points} == set(FailpointKind)
    every = list(every_case(crossed))
    ended: list[Ended] = []
    started = time.monotonic()
    try:
        for wave in waves(chosen(every)):
            ended += surviving(zygote, wave)
    finally:
        with capsys.disabled():
            print(f"\n{reported(ended, len(every), timedelta(seconds=time.monotonic() - started))}")
    assert [str(each.case) for each in ended if not each.fired] == []


def chosen(every: Sequence[Case]) -> Sequence[Case]:
    """Choose the cases that SWEEP names."""
    match os.environ.get("SWEEP"):
        case None:
            return sample(every, seed=SEED)
        case "all":
            return every
        case words:
            return [case for case in every if words in str(case)]


def waves(cases: Sequence[Case]) -> Iterator[Sequence[Case]]:
    assert cases
    return (cases[start : start + WAVE] for start in range(0, len(cases), WAVE))


def surviving(zygote: Zygote, cases: Sequence[Case]) -> list[Ended]:
    """Run a wave, and each case that did not meet its fault again alone. All must end well."""
    found = run(zygote, cases)
    assert_all_is_well(found)
    return [each if each.fired else alone(zygote, each.case) for each in found]


def alone(zygote: Zygote, case: Case) -> Ended:
    """Run the case in waves of its own until its fault has happened."""
    for _ in range(ALONE):
        (ended,) = run(zygote, [case])
        assert_all_is_well([ended])
        if ended.fired:
            break
    return ended


def assert_all_is_well(ended: Sequence[Ended]) -> None:
    of_saga = {each.saga_id: each for each in ended}
    wrong = [f"{each.case}: {each.end}\n{story(each.saga_id)}" for each in ended if each.end not in each.case.path.ends]
    for violation in violations():
        saga_id = violation.ids.get("saga")
        wrong.append(f"{of_saga.get(UUID(saga_id)) if saga_id else ''}: {violation}")
        wrong += [story(UUID(saga_id))] if saga_id else []
    assert "\n".join(wrong) == ""
    assert (waiting_messages(), dead_letters()) == (0, 0)
