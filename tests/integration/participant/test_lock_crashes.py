"""A process that ends before or after a commit that concerns a lock: the message comes again, and nothing is lost."""

from collections.abc import Callable
from functools import partial

import pytest

from orchestration.failpoints import armed
from orchestration.participant import lock_store
from orchestration.participant.lock_break import break_lock
from orchestration.participant.outcomes import Done, Queued
from orchestration.testing.faults import Crash, Fault, FaultType, Plan
from orders.models import Hold, Turn
from tests.integration.participant.shelves import Aisle, again, back_out, call, enter, leave

pytestmark = pytest.mark.django_db(transaction=True, databases=["orders"])

KILLS = [FaultType.KILL_BEFORE, FaultType.KILL_AFTER]


@pytest.fixture
def aisle() -> Aisle:
    return Aisle()


def killed(failpoint: str, kind: FaultType, work: Callable[[], object]) -> None:
    """Run the work until the fault kills it."""
    plan = Plan([Fault(failpoint, kind)])
    with armed(plan), pytest.raises(Crash):
        work()
    assert [str(each) for each in plan.crossed] == [failpoint]
    assert Turn.objects.exclude(resource__in=Hold.objects.values("resource")).count() == 0


@pytest.mark.parametrize("kind", KILLS)
def test_grant_that_was_cut_off_is_granted_once(aisle: Aisle, kind: FaultType) -> None:
    ann = call()

    killed("grant orders.enter", kind, lambda: aisle.run(enter, ann))

    assert isinstance(aisle.outcome(enter, ann), Done)
    assert aisle.holder() == ann.saga_id
    assert Hold.objects.count() == 1


@pytest.mark.parametrize("kind", KILLS)
def test_saga_whose_turn_was_cut_off_waits_once(aisle: Aisle, kind: FaultType) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann)

    killed("grant orders.enter", kind, lambda: aisle.run(enter, bob))

    assert isinstance(aisle.outcome(enter, bob), Queued)
    assert aisle.queue() == [bob.saga_id]


@pytest.mark.parametrize("kind", KILLS)
def test_release_that_was_cut_off_hands_the_lock_over_once(aisle: Aisle, kind: FaultType) -> None:
    ann, bob, eve = call(), call(), call()
    aisle.run(enter, ann, bob, eve)
    leaving = again(ann, step="leave")

    killed("let_go orders.leave", kind, lambda: aisle.run(leave, leaving))
    aisle.run(leave, leaving)

    assert (aisle.holder(), aisle.queue()) == (bob.saga_id, [eve.saga_id])


@pytest.mark.parametrize("kind", KILLS)
def test_compensation_that_was_cut_off_hands_the_lock_over_once(aisle: Aisle, kind: FaultType) -> None:
    ann, bob, eve = call(), call(), call()
    aisle.run(enter, ann, bob, eve)

    killed("let_go orders.back_out", kind, lambda: aisle.run(back_out, ann))
    aisle.run(back_out, ann)

    assert (aisle.holder(), aisle.queue()) == (bob.saga_id, [eve.saga_id])


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("kind", KILLS)
def test_lock_whose_breaking_was_cut_off_is_broken_once(aisle: Aisle, kind: FaultType, nth: int) -> None:
    ann, bob, eve = call(), call(), call()
    aisle.run(enter, ann, bob, eve)

    def broken() -> None:
        break_lock(aisle.participant, "shelf:a", holder=ann.saga_id, services=[aisle.participant])

    with armed(Plan([Fault("let_go break_lock", kind, nth)])), pytest.raises(Crash):
        broken()
    if aisle.holder() == ann.saga_id:
        broken()

    assert (aisle.holder(), aisle.queue()) == (bob.saga_id, [eve.saga_id])


def test_lock_costs_two_statements_to_take_and_two_to_release(aisle: Aisle, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []

    def counted(run: Callable[..., object], alias: str, statement: str, *parameters: object) -> object:
        statements.append(statement)
        return run(alias, statement, *parameters)

    for name in ("execute", "run_later"):
        monkeypatch.setattr(lock_store, name, partial(counted, getattr(lock_store, name)))

    def cost(work: Callable[[], object]) -> int:
        statements.clear()
        work()
        return len(statements)

    ann, bob, eve = call(), call(), call()
    assert cost(lambda: aisle.run(enter, ann)) == 2
    assert cost(lambda: aisle.run(enter, bob, eve)) == 2
    assert cost(lambda: aisle.run(leave, again(ann, step="leave"))) == 2
    assert cost(lambda: aisle.run(enter, bob)) == 1
    assert cost(lambda: aisle.run(back_out, bob)) == 2
    assert cost(lambda: aisle.run(enter, bob)) == 0
