"""Batches in the admin: looked at, asked for, approved by a second person, stopped."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client

from config import env
from orchestration.admin import new_batch
from orchestration.models import Batch
from orchestration.operators.actions import batch_loop, outcome_watcher
from orchestration.operators.insight.search import search
from orchestration.protocol.events import Resumed
from tests.integration.admin.conftest import SAGAS, Operator
from tests.integration.admin.situations import Post, Situations

pytestmark = pytest.mark.django_db(databases=list(env.ALIASES))
committed = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

BATCHES = "/admin/operations/batches"
PARKED = {"which": "filter", "status": "parked"}
PACE = {"canary": "1", "per_second": "100", "stop_above_percent": "50"}


def asked(client: Client, action: str, **query: Any) -> dict[str, Any]:
    """What the form of a batch's preview posts."""
    context = client.get(f"{BATCHES}/new/", query | {"action": action}).context
    seen = {"wanted": context["wanted"], "sagas": context["preview"].fingerprint, "looked_at": context["looked_at"]}
    seen["token"] = str(context["token"])
    return PACE | seen | {"reason": "the gateway is back", "confirm": "1"}


@pytest.fixture
def ada(hire: Callable[..., Operator]) -> Client:
    """Somebody who may resume and compensate, but approve nothing."""
    return hire("view_sagainstance", "resume_saga", "compensate_saga").client


@pytest.fixture
def bob(db: None) -> Client:
    """Somebody who may do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser("bob"))
    return client


def test_a_preview_says_how_many_what_is_skipped_and_the_money(ada: Client, situations: Situations) -> None:
    situations.parked_compensation(), situations.parked_after_pivot(), situations.failing()
    context = ada.get(f"{BATCHES}/new/", PARKED | {"action": "compensate"}).context
    preview = context["preview"]
    assert (preview.chosen, preview.possible, preview.needs_second_person) == (2, 1, True)
    assert preview.why_not == {"The order is placed: there is no way back.": 1}
    assert context["words"] == "parked"
    assert not Batch.objects.exists()


def test_a_batch_is_of_what_is_selected(ada: Client, situations: Situations) -> None:
    chosen, _ = situations.parked_after_pivot(), situations.parked_after_pivot()
    ada.post(f"{BATCHES}/new/resume/", asked(ada, "resume", which="selected", saga=[str(chosen)]))
    assert [member.saga_id for member in Batch.objects.get().members.all()] == [chosen]


def test_a_form_sent_twice_makes_one_batch(ada: Client, situations: Situations) -> None:
    situations.parked_after_pivot()
    order = asked(ada, "resume", **PARKED)
    first, second = (ada.post(f"{BATCHES}/new/resume/", order) for _ in range(2))
    assert first["Location"] == second["Location"] == f"{BATCHES}/{Batch.objects.get().pk}/"
    changed = ada.post(f"{BATCHES}/new/resume/", order | {"reason": "another"})
    assert "was sent before with other contents" in changed.context["complaint"]
    ada.post(f"{BATCHES}/new/resume/", order | {"token": str(changed.context["token"])})
    assert Batch.objects.count() == 2, "a page that is opened anew makes another"


def test_batches_are_listed_a_page_at_a_time(ada: Client, situations: Situations) -> None:
    situations.parked_after_pivot()
    for _ in range(51):
        ada.post(f"{BATCHES}/new/resume/", asked(ada, "resume", **PARKED))
    first = ada.get(f"{BATCHES}/").context
    second = ada.get(f"{BATCHES}/", {"after": first["next"]}).context
    listed = [batch.pk for batch in (*first["batches"], *second["batches"])]
    assert listed == list(Batch.objects.values_list("pk", flat=True))
    assert (len(first["batches"]), second["next"]) == (50, "")
    assert ada.get(f"{BATCHES}/", {"after": "nonsense"}).status_code == 404


def test_a_batch_is_of_what_was_searched_for(ada: Client, situations: Situations) -> None:
    chosen, _ = situations.parked_after_pivot(), situations.parked_after_pivot()
    order_id = str(situations.shop.saga(chosen).order_id)
    ada.post(f"{BATCHES}/new/resume/", asked(ada, "resume", q=order_id, **PARKED))
    assert [member.saga_id for member in Batch.objects.get().members.all()] == [chosen]


def test_a_search_with_more_than_a_batch_holds_is_sifted_before_it_is_cut(
    ada: Client, situations: Situations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_batch, "MEMBERS_LIMIT", 1)
    parked, *_ = situations.parked_after_pivot(), situations.completed(), situations.completed()
    customer = situations.shop.saga(parked).customer_id
    context = ada.get(f"{BATCHES}/new/", PARKED | {"action": "resume", "q": customer}).context
    assert context["preview"].chosen == 1


def test_a_service_that_was_not_searched_is_named(
    ada: Client, situations: Situations, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = replace(search(str(situations.parked_after_pivot())), unread=("payments is away",))
    monkeypatch.setattr(new_batch, "search", lambda _: found)
    page = ada.get(f"{BATCHES}/new/", PARKED | {"action": "resume", "q": "x"}).content.decode()
    assert "Not searched: payments is away" in page


@pytest.mark.parametrize(
    ("query", "leads_to"),
    [
        ({"which": "selected"}, SAGAS),
        (
            {"which": "selected", "status": "parked", "step": "capture_payment"},
            f"{SAGAS}?status=parked&step=capture_payment",
        ),
        ({"which": "filter"}, SAGAS),
        ({"which": "filter", "status": "no_such"}, f"{SAGAS}?status=no_such"),
    ],
)
def test_nothing_selected_or_a_filter_that_is_none_leads_back_to_the_list_as_it_was(
    query: dict[str, str], leads_to: str, ada: Client, situations: Situations
) -> None:
    situations.parked_after_pivot()
    answer = ada.get(f"{BATCHES}/new/", query | {"action": "resume"})
    assert answer["Location"] == leads_to
    assert ada.get(leads_to).status_code == 200


def test_other_sagas_than_were_looked_at_are_looked_at_first(ada: Client, situations: Situations) -> None:
    situations.parked_after_pivot()
    order = asked(ada, "resume", **PARKED)
    situations.parked_after_pivot()
    assert "other sagas match by now" in ada.post(f"{BATCHES}/new/resume/", order).context["complaint"]
    assert not Batch.objects.exists()


def test_as_many_others_are_other_sagas(ada: Client, situations: Situations) -> None:
    looked_at = situations.parked_after_pivot()
    order = asked(ada, "resume", **PARKED)
    situations.report(looked_at, Resumed("bob", "it is back")), situations.parked_after_pivot()
    assert "other sagas match by now" in ada.post(f"{BATCHES}/new/resume/", order).context["complaint"]
    assert "other sagas match by now" in ada.post(f"{BATCHES}/new/resume/", order | {"sagas": ""}).context["complaint"]
    assert not Batch.objects.exists()


def test_a_span_of_nothing_is_still_a_filter(ada: Client, situations: Situations) -> None:
    unfinished, _ = situations.parked_after_pivot(), situations.completed()
    ada.post(f"{BATCHES}/new/resume/", asked(ada, "resume", which="filter", stuck="0"))
    assert [member.saga_id for member in Batch.objects.get().members.all()] == [unfinished]


@pytest.mark.parametrize("field", ["reason", "canary", "per_second", "stop_above_percent"])
def test_a_batch_needs_a_reason_and_a_pace(field: str, ada: Client, situations: Situations) -> None:
    situations.parked_after_pivot()
    answer = ada.post(f"{BATCHES}/new/resume/", asked(ada, "resume", **PARKED) | {field: ""})
    assert answer.context["form"].errors.keys() == {field}
    assert not Batch.objects.exists()


@pytest.mark.parametrize("action", ["pause", "cancel", "settle"])
def test_who_may_not_do_it_to_one_may_not_to_many(action: str, ada: Client, situations: Situations) -> None:
    situations.parked_after_pivot()
    order = asked(ada, "resume", **PARKED)
    answers = [ada.get(f"{BATCHES}/new/", PARKED | {"action": action}), ada.post(f"{BATCHES}/new/{action}/", order)]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert not Batch.objects.exists()


def test_a_batch_that_moves_money_begins_when_a_second_person_has_approved_it(
    ada: Client, bob: Client, situations: Situations
) -> None:
    situations.parked_compensation()
    ada.post(f"{BATCHES}/new/compensate/", asked(ada, "compensate", **PARKED))
    batch = Batch.objects.get()
    url = f"{BATCHES}/{batch.pk}/"
    assert batch.state == "asked"
    assert not ada.get(url).context["may_approve"]
    assert ada.post(f"{url}approve/").status_code == 403
    assert bob.get(url).context["may_approve"]
    bob.post(f"{url}approve/")
    batch.refresh_from_db()
    assert (batch.state, batch.approved_by) == ("approved", "bob")


def test_the_first_person_is_no_second_one_whatever_they_may(bob: Client, situations: Situations) -> None:
    situations.parked_compensation()
    bob.post(f"{BATCHES}/new/compensate/", asked(bob, "compensate", **PARKED))
    batch = Batch.objects.get()
    answer = bob.post(f"{BATCHES}/{batch.pk}/approve/", follow=True)
    assert [str(each) for each in answer.context["messages"]] == [
        "Nothing was done: bob asked for it, so another person must approve it."
    ]
    batch.refresh_from_db()
    assert batch.state == "asked"


def test_a_batch_is_stopped_by_who_may(ada: Client, bob: Client, situations: Situations) -> None:
    situations.parked_after_pivot()
    ada.post(f"{BATCHES}/new/resume/", asked(ada, "resume", **PARKED))
    batch = Batch.objects.get()
    assert ada.post(f"{BATCHES}/{batch.pk}/stop/").status_code == 403
    bob.post(f"{BATCHES}/{batch.pk}/stop/", {"why": "wrong filter"})
    batch.refresh_from_db()
    assert (batch.state, batch.stopped_by, batch.stopped_why) == ("stopped", "bob", "wrong filter")
    assert "Stopped by bob: wrong filter" in bob.get(f"{BATCHES}/{batch.pk}/progress/").content.decode()


def test_a_batch_that_has_ended_meanwhile_is_not_called_stopped(
    ada: Client, bob: Client, situations: Situations
) -> None:
    situations.parked_after_pivot()
    ada.post(f"{BATCHES}/new/resume/", asked(ada, "resume", **PARKED))
    Batch.objects.update(state="finished")
    answer = bob.post(f"{BATCHES}/{Batch.objects.get().pk}/stop/", {"why": "wrong filter"}, follow=True)
    assert [str(each) for each in answer.context["messages"]] == ["Nothing was done: it is finished."]


@committed
def test_a_batch_shows_how_far_it_has_come_and_what_failed(ada: Client, situations: Situations, post: Post) -> None:
    saga_id = situations.parked_after_pivot()
    ada.post(f"{BATCHES}/new/resume/", asked(ada, "resume", **PARKED))
    url = f"{BATCHES}/{Batch.objects.get().pk}/progress/"
    before = ada.get(url).content.decode()
    assert "0 of 1 done" in before
    assert "Began" not in before
    batch_loop.run_once()
    situations.fail(saga_id, "capture_payment", permanent=True)
    outcome_watcher.run_once()
    batch_loop.run_once()
    shown = ada.get(url)
    assert [member.saga_id for member in shown.context["failures"]] == [saga_id]
    assert "parked again" in shown.content.decode()
    assert "data-polled" not in shown.content.decode()  # it has ended
    assert all(word in shown.content.decode() for word in ("Began ", ", ended "))


def test_a_batch_that_is_not_there_is_not_found(ada: Client) -> None:
    assert ada.get(f"{BATCHES}/{uuid4()}/").status_code == 404
    assert ada.get(f"{BATCHES}/new/", PARKED | {"action": "explode"}).status_code == 404
