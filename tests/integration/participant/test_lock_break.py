"""An operator breaks a lock: which steps of the old holder still run, and which saga gets the lock next."""

from uuid import uuid4

import pytest

from orchestration.participant.lock_break import NotHeld, break_lock
from orchestration.participant.lock_store import Wake
from orchestration.participant.locks import StaleFence
from orchestration.participant.outcomes import Done
from tests.integration.participant.shelves import Aisle, again, back_out, call, count, enter, leave

pytestmark = pytest.mark.django_db(transaction=True, databases=["orders"])


def broken(aisle: Aisle, holder: object) -> Wake | None:
    return break_lock(aisle.participant, "shelf:a", holder=holder, services=[aisle.participant])  # type: ignore[arg-type]


def test_broken_lock_goes_to_the_next_turn_with_a_higher_fence(aisle: Aisle) -> None:
    ann, bob, eve = call(), call(), call()
    aisle.run(enter, ann, bob, eve)
    before = aisle.held().fence

    wake = broken(aisle, ann.saga_id)

    assert wake == Wake(bob.saga_id, "enter")
    assert (aisle.holder(), aisle.queue()) == (bob.saga_id, [eve.saga_id])
    assert aisle.held().fence > before
    assert isinstance(aisle.outcome(enter, bob), Done)


def test_broken_lock_that_no_saga_waits_for_is_free(aisle: Aisle) -> None:
    ann = call()
    aisle.run(enter, ann)

    assert broken(aisle, ann.saga_id) is None
    assert aisle.held() is None


@pytest.mark.parametrize("waits", [True, False])
def test_late_step_of_the_old_holder_is_refused_at_once(aisle: Aisle, waits: bool) -> None:
    ann, bob = call(), call()
    fence = aisle.outcome(enter, ann).answer["shelf_fence"]
    if waits:
        aisle.run(enter, bob)
    broken(aisle, ann.saga_id)

    late = aisle.outcome(count, again(ann, step="count", shelf_fence=fence))

    assert isinstance(late, StaleFence)
    assert ("count", ann.saga_id) not in aisle.done
    taken = aisle.outcome(enter, bob).answer["shelf_fence"]
    assert aisle.outcome(count, again(bob, step="count", shelf_fence=taken)) == Done({})


def test_old_holder_releases_nothing(aisle: Aisle) -> None:
    ann, bob, eve = call(), call(), call()
    aisle.run(enter, ann, bob, eve)
    broken(aisle, ann.saga_id)

    assert aisle.outcome(leave, again(ann, step="leave")) == Done({})
    assert aisle.outcome(back_out, again(ann, token=2)) == Done({})
    assert (aisle.holder(), aisle.queue()) == (bob.saga_id, [eve.saga_id])


def test_saga_whose_lock_was_broken_before_it_heard_of_it_queues_again(aisle: Aisle) -> None:
    ann, bob, eve = call(), call(), call()
    aisle.run(enter, ann, bob, eve)
    aisle.run(leave, again(ann, step="leave"))
    broken(aisle, bob.saga_id)

    outcome = aisle.outcome(enter, bob)

    assert (outcome.holder, outcome.before) == (eve.saga_id, 0)


def test_lock_is_broken_only_for_the_holder_that_the_operator_saw(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann, bob)
    aisle.run(leave, again(ann, step="leave"))

    for holder in (ann.saga_id, uuid4()):
        with pytest.raises(NotHeld, match="does not hold shelf:a"):
            broken(aisle, holder)
    assert aisle.holder() == bob.saga_id


def test_operators_read_what_is_held_and_who_waits(aisle: Aisle) -> None:
    ann, bob, eve, ida = call("a"), call("a"), call("a"), call("b")
    aisle.run(enter, ann, bob, eve, ida)
    locks = aisle.participant.rows.locks

    assert {each.resource: each.saga_id for each in locks.held()} == {"shelf:a": ann.saga_id, "shelf:b": ida.saga_id}
    assert [(each.saga_id, each.before) for each in locks.queued()] == [(bob.saga_id, 0), (eve.saga_id, 1)]
    assert [each.resource for each in locks.held("shelf:b")] == ["shelf:b"]
    assert locks.queued("shelf:b") == []
