"""One action on many sagas: each once, a few first, and no further when too many fail or somebody says so."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError

from config import env
from orchestration.models import Batch, BatchMember, OperatorLogEntry
from orchestration.models.actions import OperatorAction, Via
from orchestration.operators.actions import batch_loop, batches, outcome_watcher
from orchestration.operators.actions.batch_keys import BatchKeyReused, NotABatch
from orchestration.operators.actions.batch_loop import run_once
from orchestration.operators.actions.batch_pacing import Pace
from orchestration.operators.actions.batches import NotApproved, approve, ask_for_batch, preview_batch, stop, tally_of
from orchestration.operators.actions.requests import Actor
from orchestration.operators.insight.saga_filter import SagaFilter
from orchestration.operators.insight.status import SagaStatus
from orchestration.protocol.events import ChainCompleted
from tests.integration.admin.situations import STEPS
from tests.integration.operators.actions.conftest import ADA, BOB, FAST, PARKED, asked, now, resumed
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

SOMEBODY = Actor("root", None, Via.COMMAND)


@pytest.fixture
def complete(situations) -> Callable[..., None]:
    def complete(*saga_ids: UUID) -> None:
        for saga_id in saga_ids:
            situations.report(saga_id, ChainCompleted(tuple((step, datetime.now(UTC)) for step in STEPS)))

    return complete


def test_the_canary_goes_first_and_the_others_follow_once_it_worked(parked, complete):
    sagas = parked(5)
    batch = ask_for_batch(PARKED, asked(OperatorAction.RESUME), FAST)
    run_once()
    run_once()
    assert resumed() == sagas[:2]
    assert (tally_of(batch).canary_open, tally_of(batch).to_do) == (2, 3)

    complete(*sagas[:2])
    outcome_watcher.run_once()
    run_once()
    assert resumed() == sagas

    complete(*sagas[2:])
    outcome_watcher.run_once()
    run_once()
    assert (now(batch).state, tally_of(batch).worked) == ("finished", 5)
    assert not run_once()


def test_one_request_sent_by_two_at_once_makes_one_batch(parked):
    sagas = parked(3)

    def ask(_: int) -> UUID:
        return ask_for_batch(PARKED, asked(OperatorAction.RESUME), FAST, key="form-1").pk

    made = at_once(4, ask)
    assert len(set(made)) == 1
    assert BatchMember.objects.count() == len(sagas)
    run_once()  # by now other sagas are parked than were chosen
    assert ask(0) == made[0]


def test_a_key_that_comes_with_another_request_is_refused(parked):
    parked(1)
    made = ask_for_batch(PARKED, asked(OperatorAction.RESUME), FAST, key="form-1")
    for ask, pace in ((asked(OperatorAction.RETRY), FAST), (asked(OperatorAction.RESUME), Pace(canary=0))):
        with pytest.raises(BatchKeyReused, match=str(made.pk)):
            ask_for_batch(PARKED, ask, pace, key="form-1")
    assert ask_for_batch(PARKED, asked(OperatorAction.RESUME, by=BOB), FAST, key="form-1").pk != made.pk, (
        "keys are a user's own"
    )


def test_it_stops_by_itself_when_the_canary_fails_and_says_why(parked, situations, admin_client):
    sagas = parked(4)
    batch = ask_for_batch(PARKED, asked(OperatorAction.RESUME), FAST)
    run_once()
    for saga_id in sagas[:2]:
        situations.fail(saga_id, "capture_payment")
    outcome_watcher.run_once()

    run_once()

    assert (now(batch).state, now(batch).stopped_why) == ("stopped", "2 of 2 failed, more than 50 %.")
    assert resumed() == sagas[:2]
    assert [member.entry.observed for member in batches.failures_of(batch)] == ["failed_again"] * 2
    page = admin_client.get(f"/admin/operations/batches/{batch.pk}/").content.decode()
    assert f"Stopped automatically: {now(batch).stopped_why}" in page


def test_the_stop_button_ends_it(parked):
    sagas = parked(4)
    batch = ask_for_batch(PARKED, asked(OperatorAction.RESUME), FAST)
    run_once()
    stop(batch, BOB, "wrong ones")
    run_once()

    assert (now(batch).state, now(batch).stopped_by, now(batch).stopped_why) == ("stopped", "bob", "wrong ones")
    assert resumed() == sagas[:2]
    assert stop(batch, ADA).stopped_by == "bob"


def test_what_is_not_wanted_any_more_is_passed_over(parked, complete):
    sagas = parked(2)
    batch = ask_for_batch(PARKED, asked(OperatorAction.RESUME), FAST)
    complete(sagas[0])

    run_once()

    assert resumed() == sagas[1:]
    [passed] = BatchMember.objects.filter(state="passed_over")
    assert (passed.saga_id, passed.detail) == (sagas[0], "It is not parked any more.")
    assert tally_of(batch).passed_over == 1


def test_members_go_at_the_rate(parked):
    parked(5)
    ask_for_batch(PARKED, asked(OperatorAction.RESUME), Pace(canary=5, per_second=0.5))
    for _ in range(3):
        run_once()

    assert len(resumed()) == 1


def test_member_whose_worker_died_is_done_by_another_once(parked, post):
    [saga_id] = parked(1)
    batch = ask_for_batch(PARKED, asked(OperatorAction.RESUME), FAST)
    assert batch_loop.take_up(batch.pk) is not None
    run_once()
    assert resumed() == [], "somebody is at it"

    BatchMember.objects.update(leased_until=datetime.now(UTC) - timedelta(seconds=1))
    Batch.objects.update(next_at=datetime.now(UTC))
    run_once()
    assert resumed() == [saga_id]


def test_member_taken_up_twice_has_one_effect(parked, situations, post):
    [saga_id] = parked(1)
    batch = ask_for_batch(SagaFilter(ids=frozenset({saga_id})), asked(OperatorAction.RESUME), FAST)
    member = batch_loop.take_up(batch.pk)
    assert member is not None
    sent = len(post.sent)

    at_once(3, lambda _: batch_loop.do_member(BatchMember.objects.select_related("batch").get(pk=member.pk)))
    batch_loop.do_member(member)

    assert resumed() == [saga_id]
    assert len(post.sent) == sent + 1
    assert situations.shop.story(saga_id).count("resumed") == 1


def test_several_workers_do_each_member_once(parked):
    sagas = parked(12)
    ask_for_batch(PARKED, asked(OperatorAction.RESUME), Pace(canary=12, per_second=1000))

    def work(_: int) -> None:
        for _ in range(8):
            run_once()

    assert at_once(3, work) == [None] * 3
    assert sorted(resumed()) == sorted(sagas)


def test_what_moves_money_waits_for_a_second_person(situations, post):
    sagas = [situations.running() for _ in range(2)]
    batch = ask_for_batch(SagaFilter(statuses=frozenset({SagaStatus.RUNNING})), asked(OperatorAction.CANCEL), FAST)
    assert not run_once()
    assert resumed() == []
    with pytest.raises(NotApproved, match="another person"):
        approve(batch, Actor("ada under another name", ADA.user_id, Via.API))
    with pytest.raises(NotApproved, match="the second person needs an account"):
        approve(batch, SOMEBODY)

    approve(batch, BOB)

    run_once()
    assert sorted(resumed()) == sorted(sagas)
    assert {entry.by for entry in OperatorLogEntry.objects.all()} == {"ada"}
    with pytest.raises(NotApproved, match="does not wait for approval"):
        approve(batch, BOB)


def test_somebody_without_an_account_asks_for_no_batch_that_moves_money(situations):
    saga_id = situations.running()
    with pytest.raises(NotABatch, match="two people"):
        ask_for_batch(SagaFilter(ids=frozenset({saga_id})), asked(OperatorAction.COMPENSATE, by=SOMEBODY))
    assert (
        ask_for_batch(SagaFilter(ids=frozenset({saga_id})), asked(OperatorAction.PAUSE, by=SOMEBODY)).state
        == "approved"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"state": "running"},
        {"state": "approved", "approved_by": "ada", "approved_user_id": ADA.user_id},
    ],
)
def test_the_database_wants_the_second_person_too(situations, change):
    situations.running()
    batch = ask_for_batch(SagaFilter(), asked(OperatorAction.CANCEL))

    with pytest.raises(IntegrityError, match="batch_"):
        Batch.objects.filter(pk=batch.pk).update(**change)


def test_nothing_and_too_much_is_no_batch(situations, monkeypatch):
    with pytest.raises(NotABatch, match="no saga is parked"):
        ask_for_batch(PARKED, asked(OperatorAction.RESUME))
    monkeypatch.setattr(batches, "MEMBERS_LIMIT", 1)
    _ = [situations.running(), situations.running()]
    with pytest.raises(NotABatch, match="more than 1 sagas"):
        ask_for_batch(SagaFilter(), asked(OperatorAction.PAUSE))


def test_it_is_seen_before_what_it_would_do(parked, complete, situations, unknown):
    sagas = parked(2)
    complete(sagas[0])
    unknown.refund()

    seen = preview_batch(SagaFilter(), asked(OperatorAction.RESUME))

    assert (seen.chosen, seen.possible, seen.needs_second_person) == (3, 2, False)
    assert seen.why_not == {"The saga has already ended: it is completed.": 1}
    assert seen.money == ("1.00 GBP on hold, 0.00 GBP captured and not refunded.",)
    assert seen.examples[0].saga_id == sagas[1]
    assert preview_batch(PARKED, asked(OperatorAction.COMPENSATE)).needs_second_person


def test_one_that_cannot_be_done_stops_no_other(parked, situations):
    sagas = [situations.completed(), *parked(1)]
    batch = ask_for_batch(SagaFilter(ids=frozenset(sagas)), asked(OperatorAction.RESUME), FAST)
    run_once()

    assert sorted(resumed()) == sorted(sagas)
    assert (tally_of(batch).refused, tally_of(batch).under_way) == (1, 1)


def test_the_loop_ends_when_reported(parked):
    parked(1)
    ask_for_batch(PARKED, asked(OperatorAction.RESUME), FAST)
    stopped = threading.Event()

    def end_after_the_first(*, stopped_is_set: Callable[[], bool] | None = None) -> None:
        stopped.set()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(batch_loop, "run_once", lambda stopped: end_after_the_first())
        batch_loop.run_forever(stopped)
    assert stopped.is_set()
