"""Two people break a lock: one asks with evidence, another approves, and the machinery log is written first."""

from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError

from config import env
from orchestration.models import LockBreak, MachineryLogEntry
from orchestration.models.actions import Via
from orchestration.operators.actions.lock_breaks import (
    NoSuchLock,
    NotAskedFor,
    NotForThisPerson,
    approve_break,
    ask_to_break,
)
from orchestration.operators.actions.recorded_action import NotDone, NotKnown, NotRecorded
from orchestration.operators.actions.requests import Actor, NotAsked
from orchestration.operators.insight import locks as lock_reads
from orchestration.participant import lock_break
from orchestration.sagas import definitions
from payments.models import Hold, Turn
from tests.support.held_locks import RESOURCE, held, started, waits
from tests.support.two_locks import exchange

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

ADA, BOB = Actor("ada", 1, Via.ADMIN), Actor("bob", 2, Via.API)
WHY = {"reason": "its saga cannot be made to end", "evidence": "ticket 7"}


@pytest.fixture(autouse=True)
def exchange_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(definitions, exchange.name, exchange)
    monkeypatch.setattr("orchestration.engine.dispatch.send", lambda instance, command: None)


@pytest.fixture
def holder() -> UUID:
    """A saga that holds the lock."""
    saga_id = started()
    held(saga_id)
    return saga_id


def test_the_second_person_breaks_the_lock_and_the_next_saga_has_it(holder: UUID) -> None:
    waiter = started()
    waits(waiter, holder)
    request = ask_to_break(RESOURCE, actor=ADA, **WHY)
    assert Hold.objects.get().saga_id == holder, "asking changes nothing"

    broken = approve_break(RESOURCE, actor=BOB)
    assert broken.handed_to is not None
    assert broken.handed_to.saga_id == waiter
    hold = Hold.objects.get()
    assert (hold.saga_id, hold.fence > 1) == (waiter, True)
    assert not Turn.objects.exists()
    kept = LockBreak.objects.get(pk=request.pk)
    assert (kept.asked_by, kept.approved_by, kept.holder) == ("ada", "bob", holder)


def test_the_machinery_log_names_both_people_the_reason_and_the_evidence(holder: UUID) -> None:
    ask_to_break(RESOURCE, actor=ADA, **WHY)
    approve_break(RESOURCE, actor=BOB)

    entry = MachineryLogEntry.objects.get()
    assert (entry.action, entry.subject, entry.by, entry.reason, entry.outcome) == (
        *("break_lock", "payments/wallet:a", "bob", WHY["reason"], "done"),
    )
    assert entry.wanted == {"asked_by": "ada", "evidence": "ticket 7"}
    assert (entry.before["saga_id"], entry.after) == (str(holder), {"saga_id": None, "step": None})
    assert not Hold.objects.exists()


def test_the_same_person_cannot_approve(holder: UUID) -> None:
    ask_to_break(RESOURCE, actor=ADA, **WHY)
    with pytest.raises(NotForThisPerson, match="ada has asked for it"):
        approve_break(RESOURCE, actor=ADA)
    assert Hold.objects.exists()
    assert not MachineryLogEntry.objects.exists()


def test_people_without_accounts_can_do_neither(holder: UUID) -> None:
    unknown = Actor("ada", None, Via.COMMAND)
    with pytest.raises(NotForThisPerson):
        ask_to_break(RESOURCE, actor=unknown, **WHY)
    ask_to_break(RESOURCE, actor=ADA, **WHY)
    with pytest.raises(NotForThisPerson):
        approve_break(RESOURCE, actor=unknown)


def test_a_lock_that_no_saga_holds_cannot_be_broken() -> None:
    with pytest.raises(NoSuchLock, match="no saga holds wallet:a"):
        ask_to_break(RESOURCE, actor=ADA, **WHY)
    with pytest.raises(NoSuchLock):
        approve_break(RESOURCE, actor=BOB)


def test_nothing_is_broken_that_was_not_asked_for(holder: UUID) -> None:
    with pytest.raises(NotAskedFor):
        approve_break(RESOURCE, actor=BOB)
    assert Hold.objects.exists()


def test_a_request_is_for_the_hold_that_was_seen_and_for_no_later_one(holder: UUID) -> None:
    ask_to_break(RESOURCE, actor=ADA, **WHY)
    Hold.objects.all().delete()
    held(started(), fence=2)
    with pytest.raises(NotAskedFor):
        approve_break(RESOURCE, actor=BOB)
    assert Hold.objects.exists()


def test_the_same_request_again_is_one_request(holder: UUID) -> None:
    first = ask_to_break(RESOURCE, actor=ADA, **WHY)
    assert ask_to_break(RESOURCE, actor=BOB, **WHY).pk == first.pk


@pytest.mark.parametrize("missing", ["reason", "evidence"])
def test_reason_and_evidence_are_needed(holder: UUID, missing: str) -> None:
    with pytest.raises(NotAsked, match=missing):
        ask_to_break(RESOURCE, actor=ADA, **{**WHY, missing: " . "})


def test_a_break_that_cannot_be_recorded_is_not_made(holder: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    ask_to_break(RESOURCE, actor=ADA, **WHY)

    def away(*_: object, **__: object) -> None:
        raise DatabaseError("connection refused")

    monkeypatch.setattr(MachineryLogEntry, "save", away)
    with pytest.raises(NotRecorded):
        approve_break(RESOURCE, actor=BOB)
    assert Hold.objects.get().saga_id == holder


def test_a_break_of_unknown_outcome_is_approved_again(holder: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    ask_to_break(RESOURCE, actor=ADA, **WHY)

    def away(*_: object, **__: object) -> None:
        raise DatabaseError("connection lost")

    with monkeypatch.context() as patched:
        patched.setattr(lock_break, "break_lock", away)
        with pytest.raises(NotKnown):
            approve_break(RESOURCE, actor=BOB)
    approve_break(RESOURCE, actor=BOB)
    assert not Hold.objects.exists()


def test_a_lock_that_is_released_in_the_meantime_is_not_broken(holder: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    ask_to_break(RESOURCE, actor=ADA, **WHY)
    break_lock = lock_break.break_lock

    def after_its_release(*args: Any, **options: Any) -> object:
        Hold.objects.all().delete()
        return break_lock(*args, **options)

    monkeypatch.setattr(lock_break, "break_lock", after_its_release)
    with pytest.raises(NoSuchLock):
        approve_break(RESOURCE, actor=BOB)
    assert MachineryLogEntry.objects.get().outcome == "nothing_changed"


def test_a_database_that_does_not_answer_is_no_free_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise DatabaseError("connection refused")

    monkeypatch.setattr(lock_reads, "_of", away)
    with pytest.raises(NotDone, match="does not answer"):
        ask_to_break(RESOURCE, actor=ADA, **WHY)


def test_the_database_refuses_one_person_in_both_places(holder: UUID) -> None:
    request = ask_to_break(RESOURCE, actor=ADA, **WHY)
    with pytest.raises(IntegrityError, match="lock_break_needs_two_people"):
        LockBreak.objects.filter(pk=request.pk).update(approved_user_id=request.asked_user_id)
