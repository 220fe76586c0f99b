"""Whoever works on an open row at the same time: one effect, and a legal history."""

from functools import partial
from typing import Any

import pytest

from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call
from orchestration.participant.manual_conclusion import resolve
from orchestration.participant.manual_outcome import Grounds, NotResolved, ReportedOutcome, Statement
from orchestration.participant.participant import Participant
from orchestration.participant.reconciliation import reconcile_open_rows
from payments.gateways.sandbox.models import Kind, Operation
from payments.models import Payment
from tests.integration.participant.unknown_payments import act, history, is_legal, kinds, timed_out, undo
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True, databases=["payments", "gateway"])


def say(participant: Participant, asked: Call, outcome: ReportedOutcome, **facts: str) -> Any:
    statement = Statement(outcome, Grounds("ada", "it is on the statement", "statement 7"), facts)
    return resolve(participant, asked.saga_id, asked.step, statement)


@pytest.mark.parametrize("round_", range(8))
def test_reconciling_acting_undoing_and_itself_at_once_have_one_effect_and_a_legal_history(
    payments: Participant, round_: int
) -> None:
    asked = timed_out(payments)
    works = [partial(reconcile_open_rows, payments), partial(act, payments, asked), partial(undo, payments, asked)] * 2

    ends = at_once(len(works), lambda number: works[(number + round_) % len(works)]())
    undo(payments, asked)

    assert [end for end in ends if isinstance(end, Exception) and type(end).__name__ not in UNLUCKY] == []
    assert history(asked)[-1] == Status.UNDONE
    assert is_legal(history(asked))
    assert kinds() == [Kind.AUTHORISE, Kind.VOID]
    assert Payment.objects.get().status == "voided"


UNLUCKY = {"AuthorisationLapsed"}
"""An action that asks when it is being undone sees a hold that is voided: nobody knows, and it comes back."""


@pytest.mark.parametrize("round_", range(8))
def test_an_operators_report_and_reconciliation_at_once_conclude_a_row_once(payments: Participant, round_: int) -> None:
    asked = timed_out(payments)
    held = Operation.objects.get()
    works = [
        partial(reconcile_open_rows, payments),
        partial(say, payments, asked, ReportedOutcome.DONE, authorisation_id=held.public_id),
        partial(say, payments, asked, ReportedOutcome.NOT_DONE),
        partial(act, payments, asked),
    ]

    ends = at_once(len(works), lambda number: works[(number + round_) % len(works)]())

    assert {type(end) for end in ends if isinstance(end, Exception)} <= {NotResolved}
    assert history(asked) in ([Status.STARTED, Status.DONE], [Status.STARTED, Status.REFUSED])
    assert Payment.objects.count() == (history(asked)[-1] == Status.DONE)
    assert kinds() == [Kind.AUTHORISE]
