"""A person's word on many sagas at once: what became of their calls, and that they were settled outside."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client

from config import env
from orchestration.models import Batch, OperatorLogEntry
from orchestration.operators.actions import batch_loop, batches, outcome_watcher
from payments.models import Ledger
from tests.integration.admin.conftest import Operator
from tests.integration.admin.situations import Situations
from tests.integration.admin.unknown import Unknown

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

BATCHES = "/admin/operations/batches"
STEP = {"step": "authorise_payment"}
WORD = {"reason": "the gateway lost them", "evidence": "statement 7, line 12"}
PACE = {"canary": "0", "per_second": "100", "stop_above_percent": "100"}


@pytest.fixture
def ada(hire: Callable[..., Operator]) -> Client:
    """Somebody who may say what became of calls."""
    return hire("view_sagainstance", "resolve_saga", "settle_saga").client


@pytest.fixture
def bob(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("bob"))
    return client


def look(client: Client, action: str, said: dict[str, str], **query: Any) -> Any:
    """What is seen once that has been said."""
    first = client.get(f"{BATCHES}/new/", query | {"which": "filter", "action": action})
    shown = {"wanted": first.context["wanted"], "sagas": "", "token": first.context["token"]}
    return client.post(f"{BATCHES}/new/{action}/", PACE | shown | said).context


def confirm(client: Client, action: str, seen: Any, said: dict[str, str]) -> Any:
    shown = {name: seen[name] for name in ("wanted", "looked_at", "token")} | {"sagas": seen["preview"].fingerprint}
    return client.post(f"{BATCHES}/new/{action}/", PACE | shown | said | {"confirm": "1"})


def carry_out(batch: Batch, bob: Client) -> None:
    """Have the second person read and approve it, and it done."""
    bob.post(f"{BATCHES}/{batch.pk}/approve/")
    for _ in range(3):
        batch_loop.run_once()
        outcome_watcher.run_once()


def test_what_became_of_calls_is_said_once_for_all_that_are_open(
    ada: Client, bob: Client, unknown: Unknown, situations: Situations
) -> None:
    open_one, never_asked = unknown.authorisation(), situations.failing("authorise_payment")
    first = ada.get(f"{BATCHES}/new/", {"which": "filter", "status": "retrying", "action": "resolve"})
    assert first.context["preview"] is None
    assert "Fill in what you know" in first.content.decode()

    said = STEP | WORD | {"outcome": "not-done", "facts": ""}
    seen = look(ada, "resolve", said, status="retrying")
    assert (seen["preview"].chosen, seen["preview"].possible) == (2, 1)
    assert seen["preview"].why_not == {"payments has no record of authorise_payment": 1}
    confirm(ada, "resolve", seen, said)

    batch = Batch.objects.get()
    page = bob.get(f"{BATCHES}/{batch.pk}/").content.decode()
    assert all(word in page for word in ("authorise_payment", "not-done", *WORD.values()))
    carry_out(batch, bob)
    assert Ledger.objects.get(saga_id=open_one).status == "refused"
    assert [member.saga_id for member in batches.failures_of(batch)] == [never_asked]


def test_a_word_that_its_worker_died_of_before_the_saga_heard_it_is_heard_at_the_next_try(
    ada: Client, bob: Client, unknown: Unknown, monkeypatch: pytest.MonkeyPatch
) -> None:
    saga_id = unknown.authorisation()
    said = STEP | WORD | {"outcome": "not-done", "facts": ""}
    confirm(ada, "resolve", look(ada, "resolve", said, status="retrying"), said)
    batch = Batch.objects.get()
    with monkeypatch.context() as patched:
        patched.setattr(batch_loop, "LEASE", timedelta(0))
        patched.setattr("orchestration.operators.actions.perform._apply", lambda *_: 1 / 0)
        patched.setattr(batch_loop, "AT_A_TIME", 1)
        carry_out(batch, bob)
    assert Ledger.objects.get(saga_id=saga_id).status == "refused"
    assert not OperatorLogEntry.objects.exists()

    carry_out(batch, bob)
    [entry] = OperatorLogEntry.objects.all()
    assert (entry.code, entry.saga_id) == ("taken", saga_id)


def test_another_persons_word_on_what_is_concluded_is_refused(ada: Client, bob: Client, unknown: Unknown) -> None:
    unknown.authorisation()
    said = STEP | WORD | {"outcome": "not-done", "facts": ""}
    confirm(ada, "resolve", look(ada, "resolve", said, status="retrying"), said)
    grounds = {"by": "eve", "reason": WORD["reason"], "evidence": WORD["evidence"]}
    Ledger.objects.update(status="refused", refusal={"code": "x", "detail": "x", "facts": grounds})
    carry_out(Batch.objects.get(), bob)
    assert [entry.code for entry in OperatorLogEntry.objects.all()] == ["not_resolved"]


def test_what_was_settled_outside_is_said_once_for_all_that_are_parked(
    ada: Client, bob: Client, unknown: Unknown
) -> None:
    parked = {unknown.refund(), unknown.refund()}
    query = {"which": "filter", "status": "parked", **STEP, "action": "settle"}
    seen = ada.get(f"{BATCHES}/new/", query).context
    assert seen["preview"].possible == 2
    confirm(ada, "settle", seen, STEP | WORD | {"facts": ""})
    carry_out(Batch.objects.get(), bob)
    taken = OperatorLogEntry.objects.filter(code="taken", action="settle", evidence=WORD["evidence"])
    assert set(taken.values_list("saga_id", flat=True)) == parked
    assert set(Ledger.objects.values_list("status", flat=True)) == {"undone"}


def test_the_facts_that_a_service_wants_are_asked_for_before_anything_can_be_begun(
    ada: Client, unknown: Unknown
) -> None:
    unknown.authorisation()
    said = STEP | WORD | {"outcome": "done", "facts": ""}
    seen = look(ada, "resolve", said, status="retrying")
    assert not seen["may_be_asked"]
    assert "authorisation_id" in seen["facts_wanted"]
    assert [example.possible for example in seen["preview"].examples] == [False]


def test_the_second_person_sees_which_sagas_and_how_much_money(ada: Client, bob: Client, unknown: Unknown) -> None:
    parked = {unknown.refund(), unknown.refund()}
    said = STEP | WORD | {"facts": ""}
    query = {"which": "filter", "status": "parked", **STEP, "action": "settle"}
    confirm(ada, "settle", ada.get(f"{BATCHES}/new/", query).context, said)
    url = f"{BATCHES}/{Batch.objects.get().pk}/"
    page = bob.get(url).content.decode()
    assert "2.00 GBP on hold" in page
    assert all(f"/{saga_id}/change/" in page for saga_id in parked)
    assert "Outcome" not in page
    carry_out(Batch.objects.get(), bob)
    assert bob.get(url).context["preview"] is None


def test_a_second_person_learns_that_the_books_cannot_be_asked(
    ada: Client, bob: Client, unknown: Unknown, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("connection refused")

    unknown.refund()
    query = {"which": "filter", "status": "parked", **STEP, "action": "settle"}
    confirm(ada, "settle", ada.get(f"{BATCHES}/new/", query).context, STEP | WORD | {"facts": ""})
    monkeypatch.setattr(batches, "preview_batch", away)
    answer = bob.get(f"{BATCHES}/{Batch.objects.get().pk}/")
    assert "does not answer: connection refused" in answer.content.decode()


@pytest.mark.parametrize(
    ("field", "value"), [("outcome", "undone"), ("facts", "capture_id=7"), ("step", "capture_payment")]
)
def test_another_word_than_was_looked_at_is_looked_at_first(
    field: str, value: str, ada: Client, unknown: Unknown
) -> None:
    unknown.authorisation()
    said = STEP | WORD | {"outcome": "not-done", "facts": ""}
    seen = look(ada, "resolve", said, status="retrying")
    answer = confirm(ada, "resolve", seen, said | {field: value})
    assert answer.context["complaint"] == "Check this preview, then confirm."
    assert not Batch.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("step", ""), ("step", "no_such"), ("outcome", ""), ("facts", "x"), ("evidence", ""), ("reason", "")],
)
def test_what_is_missing_is_named_and_nothing_is_begun(field: str, value: str, ada: Client, unknown: Unknown) -> None:
    unknown.authorisation()
    said = STEP | WORD | {"outcome": "not-done", "facts": ""}
    seen = look(ada, "resolve", said, status="retrying")
    answer = confirm(ada, "resolve", seen, said | {field: value})
    assert answer.context["form"].errors.keys() == {field}
    assert not Batch.objects.exists()


def test_not_done_is_no_word_for_what_is_owed_after_the_pivot(ada: Client, unknown: Unknown) -> None:
    unknown.capture()
    said = WORD | {"step": "capture_payment", "outcome": "not-done", "facts": ""}
    preview = look(ada, "resolve", said, status="parked")["preview"]
    assert preview.why_not == {
        "capture_payment must still happen after the pivot: do it manually, then resolve it as done": 1
    }


def test_a_ledger_that_cannot_be_asked_is_said_to_be_away(
    ada: Client, unknown: Unknown, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: UUID) -> None:
        raise OperationalError("connection refused")

    unknown.authorisation()
    monkeypatch.setattr("orchestration.participant.manual_conclusion.why_not_open", away)
    seen = look(ada, "resolve", STEP | WORD | {"outcome": "not-done", "facts": ""}, status="retrying")
    assert "does not answer: connection refused" in seen["away"]
    assert not seen["may_be_asked"]
