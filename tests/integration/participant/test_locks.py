"""What the kit promises about locks, in PostgreSQL and in memory. Otherwise the simulator would prove nothing."""

from datetime import timedelta
from typing import cast

import pytest

from orchestration.contracts.codec import Malformed
from orchestration.failpoints import armed
from orchestration.participant.ledger import Status
from orchestration.participant.locks import StaleFence
from orchestration.participant.outcomes import Barred, Done, Queued, Refused
from orchestration.protocol.itinerary import LOCK_GRANTED, STEP_REFUSED, STEP_WAITS
from orchestration.testing.faults import Crash, Fault, FaultType, Plan
from tests.integration.participant.shelves import Aisle, again, back_out, call, count, enter, hurry, leave, scan

pytestmark = pytest.mark.django_db(transaction=True, databases=["orders"])

PATIENCE = timedelta(seconds=30)


def test_free_lock_is_granted_with_a_fence(aisle: Aisle) -> None:
    ann = call()

    outcome = aisle.outcome(enter, ann)

    assert outcome == Done({"shelf_fence": aisle.held().fence})
    assert aisle.holder() == ann.saga_id
    assert aisle.status(ann) == Status.DONE


def test_held_lock_is_waited_for_in_order_of_arrival(aisle: Aisle) -> None:
    ann, bob, eve = call(), call(), call()
    aisle.run(enter, ann)

    first, second = aisle.outcome(enter, bob), aisle.outcome(enter, eve)

    assert (first.resource, first.holder, first.before) == ("shelf:a", ann.saga_id, 0)
    assert (second.holder, second.before) == (ann.saga_id, 1)
    assert aisle.queue() == [bob.saga_id, eve.saga_id]
    assert aisle.status(bob) == Status.WAITING
    assert aisle.done == [("enter", ann.saga_id)]


def test_asking_again_keeps_the_turn(aisle: Aisle) -> None:
    ann, bob, eve = call(), call(), call()
    aisle.run(enter, ann)
    first = aisle.outcome(enter, bob)
    aisle.run(enter, eve)

    assert aisle.outcome(enter, again(bob, token=2)) == first
    assert aisle.queue() == [bob.saga_id, eve.saga_id]


def test_one_batch_grants_one_and_queues_the_others_in_order(aisle: Aisle) -> None:
    calls = [call(), call(), call("b"), call()]

    outcomes = aisle.outcomes(enter, *reversed(calls))

    assert [type(each) for each in outcomes] == [Done, Done, Queued, Queued]
    assert aisle.holder() == calls[3].saga_id
    assert aisle.queue() == [calls[1].saga_id, calls[0].saga_id]
    assert aisle.holder("b") == calls[2].saga_id


def test_the_last_step_hands_the_lock_to_the_first_turn_with_a_higher_fence(aisle: Aisle) -> None:
    ann, bob, eve = call(), call(), call()
    aisle.run(enter, ann, bob, eve)
    before = aisle.held()

    [ending] = aisle.run(leave, again(ann, step="leave"))

    assert aisle.holder() == bob.saga_id
    assert aisle.queue() == [eve.saga_id]
    assert aisle.held().fence > before.fence
    assert before.turn is None
    assert aisle.held().turn is not None
    [wake] = ending.messages
    assert (wake.task, wake.kwargs) == (LOCK_GRANTED, {"saga_id": str(bob.saga_id), "step": "enter"})


def test_saga_that_got_the_lock_goes_on_when_it_asks_again(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann, bob)
    aisle.run(leave, again(ann, step="leave"))

    assert aisle.outcome(enter, bob) == Done({"shelf_fence": aisle.held().fence})
    assert aisle.status(bob) == Status.DONE
    assert [saga for _, saga in aisle.done] == [ann.saga_id, ann.saga_id, bob.saga_id]


def test_saga_that_comes_later_does_not_overtake_one_that_has_not_heard_of_its_lock(aisle: Aisle) -> None:
    ann, bob, eve = call(), call(), call()
    aisle.run(enter, ann, bob)
    aisle.run(leave, again(ann, step="leave"))

    assert aisle.outcome(enter, eve).holder == bob.saga_id


def test_lock_is_free_after_its_last_holder(aisle: Aisle) -> None:
    ann = call()
    aisle.run(enter, ann)

    [ending] = aisle.run(leave, again(ann, step="leave"))

    assert aisle.held() is None
    assert ending.messages == []


def test_releasing_twice_takes_no_lock_from_the_next_holder(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann, bob)
    leaving = again(ann, step="leave")
    aisle.run(leave, leaving)

    aisle.run(leave, leaving)

    assert aisle.holder() == bob.saga_id


def test_wait_is_reported_to_the_saga(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann)

    [ending] = aisle.run(enter, bob)

    [report] = ending.messages
    queued = cast(Queued, ending.outcome)
    assert report.task == STEP_WAITS
    assert report.kwargs == {
        "saga_id": str(bob.saga_id),
        "step": "enter",
        "token": 1,
        "resource": "shelf:a",
        "holder": str(ann.saga_id),
        "before": 0,
        "since": queued.since.isoformat(),
    }


def test_saga_without_patience_left_is_refused_and_loses_its_turn(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann, bob)
    aisle.let_pass(PATIENCE)

    [ending] = aisle.run(enter, again(bob, token=2))

    refusal = cast(Refused, ending.outcome).refusal
    assert (refusal["code"], refusal["facts"]) == ("resource_busy", {"resource": "shelf", "waited_s": 30.0})
    assert ending.messages[0].task == STEP_REFUSED
    assert aisle.queue() == []
    assert aisle.status(bob) == Status.REFUSED


def test_patience_counts_from_the_first_try(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann, bob)
    for _ in range(2):
        aisle.let_pass(PATIENCE / 2 - timedelta(seconds=1))
        assert isinstance(aisle.outcome(enter, bob), Queued)
    aisle.let_pass(timedelta(seconds=2))

    assert isinstance(aisle.outcome(enter, bob), Refused)


def test_lock_that_was_handed_over_is_taken_although_patience_is_over(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann, bob)
    aisle.let_pass(PATIENCE)
    aisle.run(leave, again(ann, step="leave"))

    assert isinstance(aisle.outcome(enter, bob), Done)


def test_action_without_patience_refuses_at_once_and_never_queues(aisle: Aisle) -> None:
    ann, bob = call(step="hurry"), call(step="hurry")
    aisle.run(hurry, ann)

    assert aisle.outcome(hurry, bob).refusal["facts"] == {"resource": "shelf", "waited_s": 0}
    assert aisle.queue() == []


def test_refusal_after_the_grant_releases_the_lock(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.refuses.add(ann.saga_id)

    outcomes = aisle.outcomes(enter, ann, bob)

    assert [type(each) for each in outcomes] == [Refused, Queued]
    assert aisle.holder() == bob.saga_id
    assert aisle.status(ann) == Status.REFUSED


def test_failure_after_the_grant_takes_the_grant_back(aisle: Aisle) -> None:
    ann = call()
    aisle.fails.add(ann.saga_id)

    assert isinstance(aisle.outcome(enter, ann), OSError)
    assert aisle.held() is None


def test_compensation_releases_the_lock(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann, bob)

    [ending] = aisle.run(back_out, again(ann, token=2))

    assert aisle.holder() == bob.saga_id
    assert aisle.status(ann) == Status.UNDONE
    assert [each.task for each in ending.messages] == [LOCK_GRANTED]


def test_compensation_that_fails_keeps_the_lock(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann, bob)
    aisle.fails.add(ann.saga_id)

    assert isinstance(aisle.outcome(back_out, again(ann, token=2)), OSError)
    assert (aisle.holder(), aisle.queue()) == (ann.saga_id, [bob.saga_id])


def test_compensation_of_a_waiting_step_bars_it_and_ends_its_turn(aisle: Aisle) -> None:
    ann, bob, eve = call(), call(), call()
    aisle.run(enter, ann, bob, eve)

    aisle.run(back_out, again(bob, token=2))

    assert aisle.queue() == [eve.saga_id]
    assert aisle.status(bob) == Status.BARRED
    assert aisle.outcome(enter, again(bob, token=2)) == Barred()
    assert aisle.done == [("enter", ann.saga_id)]


def test_compensation_of_a_waiting_step_hands_on_the_lock_that_it_was_given_meanwhile(aisle: Aisle) -> None:
    ann, bob, eve = call(), call(), call()
    aisle.run(enter, ann, bob, eve)
    aisle.run(leave, again(ann, step="leave"))

    aisle.run(back_out, again(bob, token=2))

    assert aisle.holder() == eve.saga_id
    assert aisle.queue() == []


def test_compensation_that_comes_first_leaves_neither_hold_nor_turn(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann)

    aisle.run(back_out, bob)

    assert aisle.outcome(enter, bob) == Barred()
    assert (aisle.holder(), aisle.queue()) == (ann.saga_id, [])


def test_holder_and_next_that_end_in_one_batch_leave_the_lock_to_the_one_after_them(aisle: Aisle) -> None:
    ann, bob, eve = call(), call(), call()
    aisle.run(enter, ann, bob, eve)

    aisle.run(back_out, again(bob, token=2), again(ann, token=2))

    assert (aisle.holder(), aisle.queue()) == (eve.saga_id, [])


def test_locks_of_several_resources_are_released_in_one_batch(aisle: Aisle) -> None:
    ann, bob, eve = call("a"), call("b"), call("b")
    aisle.run(enter, ann, bob, eve)

    aisle.run(leave, again(bob, step="leave"), again(ann, step="leave"))

    assert (aisle.held("a"), aisle.holder("b")) == (None, eve.saga_id)


def test_step_under_a_lock_is_done_with_the_fence_of_its_holder(aisle: Aisle) -> None:
    ann = call()
    fence = aisle.outcome(enter, ann).answer["shelf_fence"]

    assert aisle.outcome(count, again(ann, step="count", shelf_fence=fence)) == Done({})


def test_step_under_a_lock_is_refused_when_a_later_holder_has_acted(aisle: Aisle) -> None:
    ann, bob = call(step="count", shelf_fence=7), call(step="count", shelf_fence=8)
    aisle.run(count, bob)

    assert isinstance(aisle.outcome(count, ann), StaleFence)
    assert aisle.outcome(count, again(bob, step="count")) == Done({})
    assert aisle.done == [("count", bob.saga_id)]


def test_external_step_under_a_lock_is_refused_before_its_call(aisle: Aisle) -> None:
    ann, bob = call(step="scan", shelf_fence=7), call(step="scan", shelf_fence=8)
    assert aisle.outcome(scan, bob) == Done({})

    assert isinstance(aisle.outcome(scan, ann), StaleFence)
    assert aisle.scanner.scanned == [bob.saga_id]
    assert aisle.status(ann) is None


def test_external_step_that_has_begun_under_the_lock_is_finished(aisle: Aisle) -> None:
    """Its call may have been made. Its outcome must be known, even if another saga holds the lock now."""
    ann, bob = call(step="scan", shelf_fence=7), call(step="count", shelf_fence=8)
    with armed(Plan([Fault("conclude orders.scan", FaultType.KILL_BEFORE)])), pytest.raises(Crash):
        aisle.run(scan, ann)
    aisle.run(count, bob)

    assert aisle.outcome(scan, ann) == Done({})
    assert aisle.scanner.scanned == [ann.saga_id]


def test_external_step_that_times_out_leaves_the_lock_with_its_saga(aisle: Aisle) -> None:
    ann, bob = call(), call()
    fence = aisle.outcome(enter, ann).answer["shelf_fence"]
    aisle.scanner.silent.add(ann.saga_id)
    scanning = again(ann, step="scan", shelf_fence=fence)

    assert isinstance(aisle.outcome(scan, scanning), TimeoutError)
    assert aisle.outcome(enter, bob).holder == ann.saga_id
    assert aisle.status(scanning) == Status.STARTED

    aisle.scanner.silent.clear()
    assert aisle.outcome(scan, scanning) == Done({})
    aisle.run(leave, again(ann, step="leave"))
    assert aisle.holder() == bob.saga_id


def test_step_under_a_lock_without_a_fence_is_malformed(aisle: Aisle) -> None:
    assert isinstance(aisle.outcome(count, call(step="count")), Malformed)


def test_stale_fence_of_one_call_does_not_stop_the_others_of_its_batch(aisle: Aisle) -> None:
    old, new, other = (call(shelf, step="count", shelf_fence=fence) for shelf, fence in (("a", 7), ("a", 8), ("b", 1)))

    outcomes = aisle.outcomes(count, new, old, other)

    assert [type(each) for each in outcomes] == [Done, StaleFence, Done]


@pytest.mark.parametrize("shelf", ["", None, "x" * 195, "a\nb"])
def test_resource_that_no_lock_can_be_named_after_is_malformed(aisle: Aisle, shelf: str | None) -> None:
    ann = call()
    ann.known["shelf"] = shelf

    error = aisle.outcome(enter, ann)

    assert isinstance(error, Malformed)
    assert "shelf" in str(error)
    assert aisle.participant.rows.locks.held() == []
