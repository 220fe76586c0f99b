"""A message whose fencing token is older than that of its ledger row has no effect, and the newest one always has."""

from typing import Any

import pytest

from orchestration.contracts.payments import authorise_payment, refund_payment
from orchestration.failpoints import armed
from orchestration.participant.outcomes import BarResult, Done, Superseded
from orchestration.participant.participant import Participant
from orchestration.protocol.itinerary import bar_task
from orchestration.testing import step_runner
from orchestration.testing.faults import Crash, Fault, FaultType, Plan
from payments.gateways.sandbox.models import Operation
from payments.models import Ledger
from tests.integration.participant.shelves import Aisle, again, back_out, call, enter, leave
from tests.integration.participant.unknown_payments import call as payment_call

pytestmark = pytest.mark.django_db(transaction=True, databases=["orders", "payments", "gateway"])


def bar(aisle: Aisle, asked: Any) -> Any:
    [ending] = step_runner.run(aisle.participant, bar_task("orders"), [asked])
    return ending.error or ending.outcome


def test_action_of_an_older_dispatch_ends_without_a_report(aisle: Aisle) -> None:
    ann = call(token=2)
    aisle.run(enter, ann)

    [ending] = aisle.run(enter, again(ann, token=1))

    assert (ending.outcome, ending.messages) == (Superseded(), ())
    assert len(aisle.done) == 1


def test_compensation_of_an_older_dispatch_has_no_effect(aisle: Aisle) -> None:
    ann = call(token=3)
    aisle.run(enter, ann)

    [ending] = aisle.run(back_out, again(ann, token=2))

    assert (ending.outcome, ending.messages) == (Superseded(), ())
    assert (aisle.status(ann), aisle.holder()) == ("done", ann.saga_id)


def test_bar_of_an_older_dispatch_ends_without_a_report(aisle: Aisle) -> None:
    ann = call(step="leave", token=3)
    assert bar(aisle, ann) == BarResult(holds=True)

    assert bar(aisle, again(ann, step="leave", token=2)) == Superseded()
    assert bar(aisle, again(ann, step="leave", token=3)) == BarResult(holds=True)
    assert bar(aisle, again(ann, step="leave", token=4)) == BarResult(holds=True)


@pytest.mark.parametrize("token", [3, 4])
def test_message_of_the_same_or_a_later_dispatch_repeats_the_outcome(aisle: Aisle, token: int) -> None:
    ann = call(step="leave", token=3)
    aisle.run(leave, ann)

    assert aisle.outcome(leave, again(ann, step="leave", token=token)) == Done({})


@pytest.mark.parametrize("reverse", [False, True])
def test_newest_message_of_a_batch_is_never_refused(aisle: Aisle, reverse: bool) -> None:
    ann = call(step="leave", token=2)
    aisle.run(leave, ann)
    copies = [again(ann, step="leave", token=token) for token in (1, 2)]

    ends = aisle.outcomes(leave, *(reversed(copies) if reverse else copies))

    assert Superseded() not in ends


def test_external_action_of_an_older_dispatch_makes_no_call(payments: Participant) -> None:
    asked = payment_call()
    newer = again(asked, step=asked.step, token=2)
    with armed(Plan([Fault("claim payments.authorise_payment", FaultType.KILL_AFTER)])), pytest.raises(Crash):
        step_runner.act(payments, authorise_payment, [newer])

    assert step_runner.act(payments, authorise_payment, [asked]) == [Superseded()]
    assert not Operation.objects.exists()
    assert isinstance(step_runner.act(payments, authorise_payment, [newer])[0], Done)


def test_external_compensation_of_an_older_dispatch_makes_no_call(payments: Participant) -> None:
    asked = payment_call()
    step_runner.act(payments, authorise_payment, [again(asked, step=asked.step, token=3)])

    [ending] = step_runner.run(payments, refund_payment.name, [again(asked, step=asked.step, token=2)])

    assert ending.outcome == Superseded()
    assert Ledger.objects.get().status == "done"
    assert Operation.objects.count() == 1
