"""Open rows are reconciled by asking, and one row's trouble is no other's."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from orchestration import failpoints
from orchestration.contracts.payments import authorise_payment, capture_payment
from orchestration.failpoints import Failpoint, FailpointKind
from orchestration.participant import reconciliation
from orchestration.participant.breaker import Breaker
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Done, Refused
from orchestration.participant.participant import Participant
from orchestration.participant.reconciliation import ReconciliationRound, reconcile_open_rows
from orchestration.testing import step_runner
from payments.gateways.port import GatewayBroken, GatewayTimeout
from payments.gateways.sandbox.models import Kind
from payments.models import Ledger, Payment
from tests.integration.participant.unknown_payments import (
    RecordLost,
    act,
    call,
    half_undone,
    having,
    history,
    kinds,
    lost,
    time_passes,
    timed_out,
    undo,
)

pytestmark = pytest.mark.django_db(transaction=True, databases=["payments", "gateway"])


def test_a_call_that_was_done_is_concluded_with_its_rows_and_answers_as_if_it_had_been_heard(
    payments: Participant,
) -> None:
    asked = timed_out(payments)

    assert reconcile_open_rows(payments) == ReconciliationRound(settled=1)

    assert history(asked) == [Status.STARTED, Status.DONE]
    held = Payment.objects.get()
    assert act(payments, asked) == Done({"authorisation_id": held.authorisation_id})
    assert kinds() == [Kind.AUTHORISE]


def test_a_call_that_was_refused_is_refused(payments: Participant) -> None:
    declined = having(payments, authorise_payment, call=partial(_declined_and_silent, payments))
    asked = call("tok_declined")
    with pytest.raises(GatewayTimeout):
        act(declined, asked)
    time_passes()

    assert reconcile_open_rows(payments) == ReconciliationRound(settled=1)

    assert history(asked) == [Status.STARTED, Status.REFUSED]
    assert isinstance(act(payments, asked), Refused)


def _declined_and_silent(payments, request, keys):
    try:
        payments.commands[authorise_payment].call(request, keys)
    except Exception as declined:
        raise GatewayTimeout from declined


def test_what_the_other_side_does_not_know_is_left_and_nothing_is_called_there(payments: Participant) -> None:
    asked = timed_out(payments, "tok_timeout_before")

    assert reconcile_open_rows(payments) == ReconciliationRound(unknown=1)

    assert history(asked) == [Status.STARTED]
    assert kinds() == []


def test_a_reversal_that_was_done_is_concluded(payments: Participant) -> None:
    asked = half_undone(payments)

    assert reconcile_open_rows(payments) == ReconciliationRound(settled=1)

    assert history(asked) == [Status.STARTED, Status.DONE, Status.UNDOING, Status.UNDONE]
    assert Payment.objects.get().status == "voided"
    assert kinds() == [Kind.AUTHORISE, Kind.VOID]


def test_a_reversal_that_was_not_done_is_left_to_the_saga(payments: Participant) -> None:
    asked = call("tok_void_fail_1")
    act(payments, asked)
    with pytest.raises(GatewayBroken):
        undo(payments, asked)
    time_passes()

    assert reconcile_open_rows(payments) == ReconciliationRound(unknown=1)

    assert history(asked)[-1] == Status.UNDOING
    assert kinds() == [Kind.AUTHORISE]


def test_a_row_that_was_opened_a_moment_ago_is_left_to_who_opened_it(payments: Participant) -> None:
    asked = timed_out(payments)
    Ledger.objects.update(changed_at=datetime.now(UTC) - timedelta(seconds=50))

    assert reconcile_open_rows(payments) == ReconciliationRound()

    assert history(asked) == [Status.STARTED]


def test_one_rows_error_does_not_stop_the_others_in_whichever_batch(payments: Participant, monkeypatch) -> None:
    monkeypatch.setattr(reconciliation, "BATCH", 2)
    asked = [timed_out(payments) for _ in range(5)]
    Ledger.objects.filter(saga_id=asked[0].saga_id).update(request={})
    Ledger.objects.filter(saga_id=asked[3].saga_id).update(step="forgotten_step")

    assert reconcile_open_rows(payments) == ReconciliationRound(settled=3, failed=2)


def test_rows_of_one_moment_are_each_asked_after_once(payments: Participant, monkeypatch) -> None:
    monkeypatch.setattr(reconciliation, "BATCH", 2)
    for _ in range(5):
        timed_out(payments, "tok_timeout_before")
    batches = []

    assert reconcile_open_rows(payments, before_each_batch=lambda: batches.append(1)) == ReconciliationRound(unknown=5)

    assert len(batches) == 3


def test_no_transaction_is_open_and_no_connection_held_while_the_other_side_is_asked(payments: Participant) -> None:
    timed_out(payments)
    seen = []

    def find(request: Any, keys: Any) -> None:
        seen.append((connections["payments"].in_atomic_block, connections["payments"].connection))

    reconcile_open_rows(having(payments, authorise_payment, find=find))

    assert seen == [(False, None)]


def test_an_open_breaker_is_respected_and_questions_that_fail_open_it(payments: Participant, breaker: Breaker) -> None:
    questions = []

    def ill(request: Any, keys: Any) -> None:
        questions.append(keys)
        raise GatewayBroken("503")

    for _ in range(5):
        timed_out(payments)

    made = reconcile_open_rows(having(payments, authorise_payment, find=ill))
    assert made == ReconciliationRound(unknown=2, failed=3)
    assert reconcile_open_rows(payments) == ReconciliationRound(unknown=5)
    assert len(questions) == 3


def test_questions_that_work_do_not_talk_the_breaker_out_of_failing_writes(
    payments: Participant, breaker: Breaker
) -> None:
    for _ in range(3):
        with pytest.raises(GatewayTimeout):
            act(payments, call("tok_timeout_before"))
        time_passes()
        reconcile_open_rows(payments)

    assert breaker.state() == "open"


class Passing:
    """Notes the failpoints that are crossed."""

    def __init__(self) -> None:
        self.crossed: list[str] = []

    def before(self, failpoint: Failpoint) -> None:
        self.crossed.append(str(failpoint))

    def after(self, failpoint: Failpoint) -> None:
        """It was crossed."""

    def times(self, failpoint: Failpoint) -> int:
        return 1


def test_reconciliation_crosses_the_same_points_as_the_handler(payments: Participant) -> None:
    timed_out(payments)
    passing = Passing()

    with failpoints.armed(passing):
        reconcile_open_rows(payments)

    name = authorise_payment.name
    assert passing.crossed == [f"{FailpointKind.FIND} {name}", f"{FailpointKind.CONCLUDE} {name}"]


def test_a_capture_is_reconciled_too(payments: Participant) -> None:
    asked = call()
    done = act(payments, asked)
    pending = Call(UUID(asked.known["saga_id"]), "capture_payment", token=1, known=asked.known | done.answer)
    with pytest.raises(RecordLost):
        step_runner.act(having(payments, capture_payment, record=lost), capture_payment, [pending])
    time_passes()

    assert reconcile_open_rows(payments) == ReconciliationRound(settled=1)

    assert history(pending) == [Status.STARTED, Status.DONE]
    assert Payment.objects.get().status == "captured"
