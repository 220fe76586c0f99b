"""What an action came to is seen while somebody waits, or later by the workers' loop, and written once."""

from datetime import UTC, datetime, timedelta

import pytest

from config import env
from orchestration.models import OperatorLogEntry
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions import outcome_watcher
from orchestration.operators.actions.perform import observe
from orchestration.protocol.events import ChainCompleted
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

AT_ONCE = timedelta(0)
LATER = datetime.now(UTC) + timedelta(hours=1)


def complete(situations, saga_id) -> None:
    now = datetime.now(UTC)
    steps = ("reserve_stock", "authorise_payment", "schedule_shipment", "place_order", "capture_payment")
    situations.report(saga_id, ChainCompleted(tuple((step, now) for step in steps)))


def test_who_waits_sees_it_and_so_does_who_comes_later(situations, act):
    saga_id = situations.parked_after_pivot()
    entry = act(saga_id, OperatorAction.RESUME)
    complete(situations, saga_id)

    seen = observe(entry, AT_ONCE)

    assert (seen.observed, seen.observed_at is not None) == ("completed", True)
    assert OperatorLogEntry.objects.get().observed_detail == seen.observed_detail
    assert "capture_payment is done" in seen.observed_detail


def test_what_fails_again_is_reported_with_its_error(situations, act):
    saga_id = situations.parked_after_pivot()
    entry = act(saga_id, OperatorAction.RESUME)
    situations.fail(saga_id, "capture_payment")

    assert observe(entry, AT_ONCE).observed_detail == (
        "capture_payment failed again: GatewayTimeout: no answer within 1 s."
    )


def test_whose_patience_ends_is_reported_why_and_nothing_is_written(situations, act):
    entry = act(situations.parked_after_pivot(), OperatorAction.RESUME)

    seen = observe(entry, AT_ONCE)

    assert (seen.observed, seen.observed_at) == (outcome_watcher.OPEN, None)
    assert seen.observed_detail.startswith("Still waiting: ")
    assert OperatorLogEntry.objects.get().observed == ""


def test_the_loop_writes_what_nobody_waited_for(situations, act):
    finished, open_still = situations.parked_after_pivot(), situations.parked_after_pivot()
    for saga_id in (finished, open_still):
        act(saga_id, OperatorAction.RESUME)
    complete(situations, finished)

    assert outcome_watcher.run_once() == 1
    assert outcome_watcher.run_once() == 0
    assert outcome_watcher.run_once(now=LATER) == 1
    reported = {entry.saga_id: entry.observed for entry in OperatorLogEntry.objects.all()}
    assert reported == {finished: "completed", open_still: "still_waiting"}


def test_two_loops_observe_an_entry_once(situations, act):
    saga_id = situations.parked_after_pivot()
    act(saga_id, OperatorAction.RESUME)
    complete(situations, saga_id)

    assert sorted(at_once(2, lambda _: outcome_watcher.run_once())) == [0, 1]
    assert OperatorLogEntry.objects.get().observed == "completed"


def test_what_was_refused_is_observed_already(situations, act):
    entry = act(situations.completed(), OperatorAction.RESUME)

    assert observe(entry, AT_ONCE) == entry
    assert entry.observed == "nothing_changed"
