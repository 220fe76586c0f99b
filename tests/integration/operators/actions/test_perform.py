"""An operator's action has one effect, and is written down with it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from config import env
from orchestration.engine import recovery
from orchestration.engine.engine import NoSuchSaga
from orchestration.models import OperatorLogEntry
from orchestration.models.actions import Code, OperatorAction
from orchestration.operators.actions.perform import perform
from orchestration.operators.actions.requests import LONGEST_TEXT, NotAsked
from orchestration.protocol.states import Bar, Undo
from tests.integration.operators.actions.conftest import ADA, BOB, EVIDENCE, WHY, asked
from tests.support.shop import forward_from
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))


def test_what_was_done_is_written_down_with_who_and_why(situations, act):
    saga_id = situations.parked_after_pivot()
    entry = act(saga_id, OperatorAction.RESUME)

    assert (entry.by, entry.user_id, entry.via, entry.reason) == ("ada", 1, "admin", WHY)
    assert (entry.code, entry.was_taken, entry.observed_at) == (Code.TAKEN, True, None)
    assert (entry.before["parked"], entry.after["parked"]) == (["capture_payment"], [])
    assert entry.after["version"] == entry.before["version"] + 1
    assert OperatorLogEntry.objects.get() == entry


def test_of_two_operators_who_saw_the_same_one_has_an_effect(situations, post):
    saga_id = situations.parked_after_pivot()
    seen = situations.shop.saga(saga_id).version
    before = len(post.sent)
    by = [ADA, BOB]

    entries = at_once(
        2, lambda number: perform(saga_id, asked(OperatorAction.RESUME, by=by[number]), expected_version=seen)
    )

    assert sorted(entry.code for entry in entries) == [Code.CHANGED_MEANWHILE, Code.TAKEN]
    assert len(post.sent) == before + 1
    loser = next(entry for entry in entries if not entry.was_taken)
    assert (loser.observed, loser.before) == ("nothing_changed", loser.after)
    assert situations.shop.story(saga_id).count("resumed") == 1


def test_two_operators_who_saw_nothing_are_both_heard(situations):
    saga_id = situations.failing()

    entries = at_once(2, lambda number: perform(saga_id, asked(OperatorAction.RETRY), expected_version=None))

    assert [entry.code for entry in entries] == [Code.TAKEN, Code.TAKEN]
    versions = sorted((entry.before["version"], entry.after["version"]) for entry in entries)
    assert versions[0][1] == versions[1][0]


@pytest.mark.parametrize(
    "said", ["", " ", "\N{ZERO WIDTH SPACE}", "\N{HANGUL FILLER}", "a\0", "a\udcff", "x" * (LONGEST_TEXT + 1)]
)
@pytest.mark.parametrize("field", ["reason", "evidence"])
def test_nobody_is_asked_for_what_they_do_not_say(field, said):
    with pytest.raises(NotAsked):
        asked(OperatorAction.SETTLE, **{"step": "capture_payment", "evidence": EVIDENCE, field: said})


def test_what_is_rolled_back_is_not_written_down(situations, act, monkeypatch):
    saga_id = situations.running()
    version = situations.shop.saga(saga_id).version

    def fails(ask, taken):
        raise IntegrityError("the log cannot be written")

    monkeypatch.setattr("orchestration.operators.actions.perform._columns_of", fails)
    with pytest.raises(IntegrityError):
        act(saga_id, OperatorAction.PAUSE)

    assert situations.shop.saga(saga_id).version == version
    assert not situations.shop.saga(saga_id).paused


@pytest.mark.parametrize(
    ("make", "action", "code"),
    [
        ("completed", OperatorAction.RESUME, Code.ENDED),
        ("completed", OperatorAction.CANCEL, Code.TOO_LATE),
        ("finishing", OperatorAction.COMPENSATE, Code.TOO_LATE),
        ("barring", OperatorAction.CANCEL, Code.GIVING_UP),
        ("parked_after_pivot", OperatorAction.RETRY, Code.PARKED),
        ("running", OperatorAction.UNPAUSE, Code.NOT_PAUSED),
        ("compensated", OperatorAction.PAUSE, Code.ENDED),
    ],
)
def test_what_cannot_be_done_changes_nothing_and_says_why(situations, act, look, make, action, code):
    saga_id = getattr(situations, make)()
    seen = look(saga_id, action)
    entry = act(saga_id, action)

    assert (entry.code, entry.before) == (code, entry.after)
    assert (seen.possible, seen.code, seen.why_not) == (False, code, entry.detail)
    assert entry.detail


def test_paused_saga_is_left_alone_by_recovery_until_it_is_unpaused(situations, act, post):
    saga_id = situations.failing()
    act(saga_id, OperatorAction.PAUSE)
    later = datetime.now(UTC) + timedelta(minutes=5)
    before = len(post.sent)
    recovery.run_once(clock=lambda: later)
    assert len(post.sent) == before

    assert act(saga_id, OperatorAction.RETRY).code == Code.PAUSED
    act(saga_id, OperatorAction.UNPAUSE)
    recovery.run_once()
    assert post.sent[before:] == [(saga_id, forward_from("authorise_payment"))]


def test_unpaused_after_its_deadline_gives_up(situations, act, post):
    saga_id = situations.failing()
    act(saga_id, OperatorAction.PAUSE)
    act(saga_id, OperatorAction.UNPAUSE)
    recovery.run_once(clock=lambda: datetime.now(UTC) + timedelta(hours=1))

    assert post.sent[-1] == (saga_id, Bar())
    assert situations.shop.saga(saga_id).failure["code"] == "deadline_passed"


def test_compensate_tries_what_is_parked_again(situations, act, post):
    saga_id = situations.parked_compensation()
    act(saga_id, OperatorAction.COMPENSATE)

    assert post.sent[-1] == (saga_id, Undo(("authorise_payment", "reserve_stock")))


@pytest.mark.parametrize("missing", [{"reason": " "}, {"step": "", "evidence": "it"}, {"step": "authorise_payment"}])
def test_nobody_acts_without_a_reason_or_evidence(missing):
    with pytest.raises(NotAsked):
        asked(OperatorAction.SETTLE, **missing)


def test_there_must_be_such_a_saga(act, db):
    with pytest.raises(NoSuchSaga):
        act("00000000-0000-0000-0000-000000000000", OperatorAction.RESUME)


@pytest.mark.parametrize("change", [{"reason": "another"}, {"code": "ended"}, {"by": "eve"}, {"after": {}}])
def test_the_operator_log_cannot_be_rewritten(situations, act, change):
    entry = act(situations.running(), OperatorAction.PAUSE)

    with pytest.raises(IntegrityError, match="append-only"):
        OperatorLogEntry.objects.filter(pk=entry.pk).update(**change)


def test_the_operator_log_cannot_be_erased(situations, act):
    entry = act(situations.running(), OperatorAction.PAUSE)

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(using="orchestration"):
        OperatorLogEntry.objects.filter(pk=entry.pk).delete()


def test_what_was_observed_is_written_once(situations, act):
    entry = act(situations.running(), OperatorAction.CANCEL)
    log = OperatorLogEntry.objects.filter(pk=entry.pk)
    log.update(observed="completed", observed_detail="It is.", observed_at=datetime.now(UTC))

    with pytest.raises(IntegrityError, match="append-only"):
        log.update(observed="compensated")
