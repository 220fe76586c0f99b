"""Actions on one saga in the admin: who may, what is shown before, and that it is done once."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from config import env
from orchestration.models import OperatorLogEntry, SagaInstance
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions.requests import PERMISSIONS
from tests.integration.admin.conftest import SAGAS, Operator
from tests.integration.admin.situations import Post, Situations
from tests.integration.admin.unknown import Unknown

pytestmark = pytest.mark.django_db(databases=list(env.ALIASES))
committed = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))
"""For tests in which services or the broker are told something: that is after a commit."""

WHY = {"reason": "the gateway is back", "confirm": "1"}
NAMES = {action: permission.partition(".")[2] for action, permission in PERMISSIONS.items()}


def address(saga_id: UUID, action: OperatorAction) -> str:
    return f"/admin/operations/sagas/{saga_id}/{action}/"


def looked_at(client: Client, saga_id: UUID, action: OperatorAction, **more: str) -> dict[str, Any]:
    """What the form of a preview posts, with a reason."""
    look = client.get(address(saga_id, action), more).context["look"]
    return WHY | more | {"version": look.preview.version, "looked_at": look.signature}


@pytest.fixture
def ada(hire: Callable[..., Operator]) -> Client:
    """Somebody who may do everything to sagas."""
    return hire("view_sagainstance", *NAMES.values()).client


@pytest.mark.parametrize("action", OperatorAction)
def test_who_lacks_an_actions_permission_is_refused_and_changes_nothing(
    action: OperatorAction, hire: Callable[..., Operator], situations: Situations
) -> None:
    saga_id = situations.parked_after_pivot()
    before = SagaInstance.objects.values().get(pk=saga_id)
    others = [name for each, name in NAMES.items() if each is not action]
    client = hire("view_sagainstance", *others).client
    reported = WHY | {"step": "capture_payment", "version": before["version"], "looked_at": "x", "evidence": "line 1"}
    answers = [client.get(address(saga_id, action)), client.post(address(saga_id, action), reported)]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert f"/{action}/" not in client.get(f"{SAGAS}{saga_id}/change/").content.decode()
    assert SagaInstance.objects.values().get(pk=saga_id) == before
    assert not OperatorLogEntry.objects.exists()


@committed
@pytest.mark.parametrize("action", OperatorAction)
def test_who_has_an_actions_permission_may_look(
    action: OperatorAction, hire: Callable[..., Operator], situations: Situations
) -> None:
    saga_id = situations.parked_after_pivot()
    client = hire("view_sagainstance", NAMES[action]).client
    assert client.get(address(saga_id, action), {"step": "capture_payment"}).status_code == 200
    assert not OperatorLogEntry.objects.exists()


@pytest.mark.parametrize(
    ("situation", "actions"),
    [
        ("running", {"retry", "pause", "compensate", "cancel", "resume"}),
        ("failing", {"retry", "pause", "compensate", "cancel", "resume"}),
        ("parked_after_pivot", {"resume", "pause", "settle"}),
        ("parked_compensation", {"resume", "retry", "pause", "compensate", "settle"}),
        ("completed", set()),
    ],
)
def test_a_page_offers_what_comes_to_anything(
    situation: str, actions: set[str], ada: Client, situations: Situations
) -> None:
    saga_id = getattr(situations, situation)()
    buttons = ada.get(f"{SAGAS}{saga_id}/change/").context["buttons"]
    assert {button.action.value for button in buttons} == actions


@committed
def test_an_action_is_taken_once_and_leads_to_its_entry(ada: Client, situations: Situations, post: Post) -> None:
    saga_id = situations.parked_after_pivot()
    post.sent.clear()
    answer = ada.post(address(saga_id, OperatorAction.RESUME), looked_at(ada, saga_id, OperatorAction.RESUME))
    entry = OperatorLogEntry.objects.get()
    assert answer["Location"] == f"/admin/operations/log/{entry.pk}/"
    assert (entry.by, entry.via, entry.reason, entry.code) == ("operator", "admin", WHY["reason"], "taken")
    assert len(post.sent) == 1
    page = ada.get(answer["Location"]).content.decode()
    assert "no effect observed yet" in page
    asked_for = f"/admin/operations/log/{entry.pk}/standing/"
    assert asked_for in page
    assert "Still waiting: " in ada.get(asked_for).content.decode()
    situations.fail(saga_id, "capture_payment", permanent=True)
    then = ada.get(asked_for).content.decode()
    assert "Observed: parked again" in then
    assert asked_for not in then  # it is not asked for any more


@committed
def test_of_two_operators_on_one_preview_one_acts_and_one_sees_the_new_state(
    ada: Client, situations: Situations, post: Post
) -> None:
    saga_id = situations.parked_after_pivot()
    bob = User.objects.create_superuser("bob")
    second = Client()
    second.force_login(bob)
    first_form, second_form = (looked_at(client, saga_id, OperatorAction.RESUME) for client in (ada, second))
    post.sent.clear()
    first, late = (
        client.post(address(saga_id, OperatorAction.RESUME), form)
        for client, form in ((ada, first_form), (second, second_form))
    )
    assert (first.status_code, late.status_code) == (302, 409)
    assert "has changed since you looked, so nothing was done" in late.content.decode()
    assert late.context["status"] == "running"
    assert late.context["look"].preview.version > second_form["version"]
    assert len(post.sent) == 1
    assert [entry.code for entry in OperatorLogEntry.objects.order_by("pk")] == ["taken", "changed_meanwhile"]


@committed
@pytest.mark.parametrize("missing", ["reason", "version", "looked_at"])
def test_nothing_is_done_without(missing: str, ada: Client, situations: Situations) -> None:
    saga_id = situations.parked_after_pivot()
    form = looked_at(ada, saga_id, OperatorAction.RESUME)
    del form[missing]
    assert ada.post(address(saga_id, OperatorAction.RESUME), form).status_code == 200
    assert not OperatorLogEntry.objects.exists()


@committed
def test_settling_needs_evidence_and_is_recorded_with_it(ada: Client, situations: Situations) -> None:
    saga_id = situations.parked_after_pivot()
    situations.act(saga_id, "reserve_stock", "authorise_payment", "schedule_shipment", "place_order")
    form = looked_at(ada, saga_id, OperatorAction.SETTLE, step="capture_payment")
    assert ada.post(address(saga_id, OperatorAction.SETTLE), form).context["form"].errors.keys() == {"evidence"}
    ada.post(address(saga_id, OperatorAction.SETTLE), form | {"evidence": "statement 7, line 12"})
    entry = OperatorLogEntry.objects.get()
    assert (entry.action, entry.step, entry.evidence, entry.code) == (
        *("settle", "capture_payment", "statement 7, line 12", "taken"),
    )
    assert situations.shop.saga(saga_id).phase == "completed"


@committed
def test_settling_a_refund_offers_to_void_what_would_stay_at_the_gateway(ada: Client, unknown: Unknown) -> None:
    saga_id = unknown.refund()
    answer = ada.get(address(saga_id, OperatorAction.SETTLE), {"step": "authorise_payment"})
    assert "stays held at the gateway" in answer.context["look"].preview.money[0]
    assert answer.context["instead"].url == address(saga_id, OperatorAction.RESUME)
    assert "Resume instead" in answer.content.decode()
    assert ada.get(address(saga_id, OperatorAction.RESUME)).context["instead"] is None


@committed
def test_settling_a_capture_offers_no_resumption(ada: Client, unknown: Unknown) -> None:
    captured = unknown.capture()
    assert ada.get(address(captured, OperatorAction.SETTLE), {"step": "capture_payment"}).context["instead"] is None


@committed
def test_what_a_settled_capture_leaves_on_hold_is_voided_once_that_was_looked_at(ada: Client, unknown: Unknown) -> None:
    url, step = address(unknown.capture(), OperatorAction.SETTLE), {"step": "capture_payment"}
    assert 'name="void"' in ada.get(url, step).content.decode()
    reported = WHY | step | {"evidence": "statement 7", "void": "on"}
    seen = ada.get(url, step).context["look"]
    unseen = ada.post(url, reported | {"version": seen.preview.version, "looked_at": seen.signature})
    look = unseen.context["look"]
    assert "on hold is voided" in look.preview.money[0]
    assert not OperatorLogEntry.objects.exists()
    ada.post(url, reported | {"version": look.preview.version, "looked_at": look.signature})
    assert OperatorLogEntry.objects.get().code == "taken"
    assert SagaInstance.objects.get(definition="void_settled_hold.v1").customer_id == "audit"


@committed
def test_no_other_settlement_has_something_to_void(ada: Client, unknown: Unknown) -> None:
    answer = ada.get(address(unknown.refund(), OperatorAction.SETTLE), {"step": "authorise_payment"})
    assert 'name="void"' not in answer.content.decode()


@committed
def test_another_outcome_than_was_looked_at_is_looked_at_first(ada: Client, unknown: Unknown) -> None:
    saga_id = unknown.authorisation()
    url, reported = (
        address(saga_id, OperatorAction.RESOLVE),
        {"step": "authorise_payment", "evidence": "statement 7, line 12"},
    )
    assert ada.get(url, {"step": "authorise_payment"}).context["look"] is None  # of no outcome there is nothing to see
    look = ada.post(url, reported | {"outcome": "not-done"}).context["look"]
    form = reported | WHY | {"version": look.preview.version, "looked_at": look.signature}
    assert ada.post(url, form | {"outcome": "done", "facts": "authorisation_id=auth_1"}).context["complaint"]
    assert not OperatorLogEntry.objects.exists()
    assert ada.post(url, form | {"outcome": "not-done"}).status_code == 302
    assert OperatorLogEntry.objects.get().statement == {"outcome": "not-done", "facts": {}}


def test_an_action_on_no_saga_and_a_word_that_is_no_action_are_not_found(ada: Client, situations: Situations) -> None:
    saga_id = situations.running()
    assert ada.get(address(UUID(int=1), OperatorAction.RESUME)).status_code == 404
    assert ada.get(f"/admin/operations/sagas/{saga_id}/explode/").status_code == 404


def test_who_is_not_of_the_staff_is_sent_to_log_in(situations: Situations) -> None:
    user = User.objects.create_user("customer")
    user.user_permissions.set(Permission.objects.all())
    client = Client()
    client.force_login(user)
    answer = client.get(address(situations.running(), OperatorAction.RESUME))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")
