"""A step that an operator settles lets go of its lock, as if a message had done it."""

import pytest

from orchestration.contracts.command import Action, Compensation
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call
from orchestration.participant.manual_conclusion import settle
from orchestration.participant.manual_outcome import Grounds, NotResolved, ReportedOutcome, Statement
from orchestration.participant.outcomes import Barred, Refused
from tests.integration.participant.shelves import Aisle, again, back_out, call, enter, leave

pytestmark = pytest.mark.django_db(transaction=True, databases=["orders"])


def settled(aisle: Aisle, command: Action | Compensation, asked: Call, **how: bool) -> None:
    outcome = ReportedOutcome.DONE if isinstance(command, Action) else ReportedOutcome.UNDONE
    statement = Statement(outcome, Grounds("ada", "the shelf is empty", "a look at it"))
    still = how.pop("still", True)
    settle(aisle.participant, asked, command, statement, still=lambda: still, **how)


def test_settled_last_step_hands_the_lock_over(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann, bob)
    leaving = again(ann, step="leave", token=4)

    settled(aisle, leave, leaving)

    assert (aisle.holder(), aisle.queue()) == (bob.saga_id, [])
    assert aisle.status(leaving) == Status.DONE


def test_settled_refusal_of_the_last_step_hands_the_lock_over(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann, bob)
    leaving = again(ann, step="leave")
    aisle.refuses.add(ann.saga_id)
    assert isinstance(aisle.outcome(leave, leaving), Refused)
    assert aisle.holder() == ann.saga_id

    settled(aisle, leave, leaving)

    assert aisle.holder() == bob.saga_id
    assert aisle.status(leaving) == Status.REFUSED


def test_settled_compensation_hands_the_lock_over(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann, bob)

    settled(aisle, back_out, again(ann, token=4))

    assert aisle.holder() == bob.saga_id
    assert aisle.status(ann) == Status.UNDONE


def test_settled_compensation_of_a_waiting_step_ends_its_turn(aisle: Aisle) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann, bob)

    settled(aisle, back_out, again(bob, token=4))

    assert (aisle.holder(), aisle.queue()) == (ann.saga_id, [])
    assert aisle.status(bob) == Status.BARRED
    assert aisle.outcome(enter, again(bob, token=4)) == Barred()


@pytest.mark.parametrize("how", [{"rehearsed": True}, {"still": False}], ids=str)
def test_settlement_that_is_not_made_releases_nothing(aisle: Aisle, how: dict[str, bool]) -> None:
    ann, bob = call(), call()
    aisle.run(enter, ann, bob)

    try:
        settled(aisle, leave, again(ann, step="leave"), **how)
    except NotResolved:
        assert "still" in how

    assert (aisle.holder(), aisle.queue()) == (ann.saga_id, [bob.saga_id])
