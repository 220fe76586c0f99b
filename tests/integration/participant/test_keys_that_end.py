"""Before the other side forgets a key, nothing is called under it any more, and a person can still look."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.checks import run_checks

from orchestration.participant.external import OutcomeUnknown
from orchestration.participant.ledger import Status
from orchestration.participant.outcomes import Done
from orchestration.participant.participant import Participant
from orchestration.participant.reconciliation import ReconciliationRound, reconcile_open_rows
from payments import tasks
from payments.gateways.sandbox.models import LateArrival
from tests.integration.participant.unknown_payments import act, history, kinds, time_passes, timed_out, undo, with_all

pytestmark = pytest.mark.django_db(transaction=True, databases=["payments", "gateway"])


FORGETFUL = timedelta(hours=24)


@pytest.mark.parametrize("too_late", [False, True])
def test_what_was_started_too_close_to_its_keys_end_is_not_called_again(
    payments: Participant, settings, too_late
) -> None:
    settings.KEY_MARGIN = timedelta(hours=2)
    forgetful = with_all(payments, key_lifetime=FORGETFUL)
    asked = timed_out(forgetful, "tok_timeout_before")
    time_passes(timedelta(hours=22) + (timedelta(minutes=1) if too_late else -timedelta(minutes=1)))

    if too_late:
        with pytest.raises(OutcomeUnknown):
            act(forgetful, asked)
        with pytest.raises(OutcomeUnknown):
            undo(forgetful, asked)
        assert kinds() == []
    else:
        assert isinstance(act(forgetful, asked), Done)


def test_a_call_that_arrives_in_its_keys_last_hour_is_still_found(payments: Participant) -> None:
    forgetful = with_all(payments, key_lifetime=FORGETFUL)
    asked = timed_out(forgetful, "tok_arrives_late_60")
    time_passes(timedelta(hours=23, minutes=30))
    LateArrival.objects.update(arrives_at=datetime.now(UTC))

    assert reconcile_open_rows(forgetful) == ReconciliationRound(settled=1)

    assert history(asked) == [Status.STARTED, Status.DONE]


@pytest.mark.parametrize(("lifetime", "is_error"), [(75, True), (76, False)])
def test_keys_that_end_before_a_person_could_look_are_an_error(monkeypatch, settings, lifetime, is_error) -> None:
    forgetful = with_all(tasks.participant, key_lifetime=timedelta(minutes=lifetime))
    monkeypatch.setattr("orchestration.checks.participants", lambda: {"payments": forgetful})

    errors = [found.msg for found in run_checks() if found.id == "sagas.E007"]
    assert bool(errors) == is_error
