"""An action on one saga: looked at first, then taken with a reason, if the saga is still as it was looked at."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse

from orchestration.admin.buttons import LABELS, MEANINGS
from orchestration.admin.shell import VIEW_SAGAS, actor_of, for_operators, page
from orchestration.admin.words import Words
from orchestration.engine import NoSuchSaga
from orchestration.insight.status import status_of
from orchestration.models import SagaInstance
from orchestration.operations.performing import perform
from orchestration.operations.permissions import allowed
from orchestration.operations.previewing import preview
from orchestration.operations.values import MOVES_MONEY, NEEDS_EVIDENCE, Action, Ask, Code, NotAsked, Preview
from orchestration.participant.statement import Grounds, Outcome, Statement
from orchestration.selectors import saga

NOT_SAID = "not said yet"
"""Stands for reason and evidence while an action is only looked at."""


class Said(forms.Form):
    """What somebody says with an action; `version` and `looked_at` tell what they were shown before."""

    step = forms.CharField(required=False, widget=forms.HiddenInput)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    looked_at = forms.CharField(required=False, widget=forms.HiddenInput)
    outcome = forms.ChoiceField(choices=[(each.value, each.value) for each in Outcome], label="What became of the call")
    facts = forms.CharField(required=False, widget=forms.Textarea({"rows": 3}), label="Facts, one name=value a line")
    reason = Words(widget=forms.Textarea({"rows": 2}), label="Reason, for the operator log")
    evidence = Words(widget=forms.TextInput(), label="Evidence, such as a statement and its line")

    def __init__(self, action: Action, said: QueryDict | None, step: str) -> None:
        super().__init__(said, auto_id="said_%s", label_suffix="", initial={"step": step})
        if action is not Action.RESOLVE:
            del self.fields["outcome"]
        if action not in NEEDS_EVIDENCE:
            del self.fields["evidence"], self.fields["facts"]

    def clean_facts(self) -> dict[str, str]:
        facts = {}
        for line in filter(str.strip, self.cleaned_data["facts"].splitlines()):
            name, equals, value = line.partition("=")
            if not equals or not name.strip():
                raise forms.ValidationError(f"{line} is not name=value")
            facts[name.strip()] = value.strip()
        return facts


@dataclass(frozen=True)
class Look:
    """What an action would do, and what was said when that was found out."""

    preview: Preview
    signature: str


@for_operators(VIEW_SAGAS)
def act(request: HttpRequest, saga_id: UUID, name: str) -> HttpResponse:
    """Look at an action (GET, or POST without `confirm`), or take it."""
    action, instance = _action(request, name), saga(saga_id)
    if instance is None:
        raise Http404(f"there is no saga {saga_id}")
    step = request.GET.get("step", "")
    form = Said(action, request.POST or None, step)
    if request.method != "POST":
        ask = None if action is Action.RESOLVE else _ask(request, action, {"step": step})
        return _shown(request, instance, action, form, ask)
    form.is_valid()
    said = form.cleaned_data
    if "confirm" not in request.POST or form.errors:
        ready = not {"outcome", "facts"} & form.errors.keys()
        return _shown(request, instance, action, form, _ask(request, action, said) if ready else None)
    return _taken(request, instance, action, form)


def _taken(request: HttpRequest, instance: SagaInstance, action: Action, form: Said) -> HttpResponse:
    said = form.cleaned_data
    ask = _ask(request, action, said)
    if ask is None or said["version"] is None or said["looked_at"] != _signature(ask):
        return _shown(request, instance, action, form, ask, "This is what it comes to. Look at it, then confirm.")
    entry = perform(instance.pk, ask, expected_version=said["version"])
    if entry.code == Code.CHANGED_MEANWHILE:
        fresh = saga(instance.pk) or instance
        complaint = "The saga has changed since you looked: nothing was done. This is how it stands now."
        return _shown(request, fresh, action, form, ask, complaint, status=409)
    return HttpResponseRedirect(reverse("operations:entry", args=[entry.pk]))


def _shown(
    request: HttpRequest,
    instance: SagaInstance,
    action: Action,
    form: Said,
    ask: Ask | None,
    complaint: str = "",
    status: int = 200,
) -> HttpResponse:
    look, away = _look(instance.pk, ask)
    response = page(
        request,
        "operations/act.html",
        f"{LABELS[action]}: saga {instance.pk}",
        instance=instance,
        status=status_of(instance).value,
        action=action,
        label=LABELS[action],
        meaning=MEANINGS[action],
        moves_money=action in MOVES_MONEY,
        step=form["step"].value() or "",
        form=form,
        look=look,
        away=away,
        complaint=complaint,
    )
    response.status_code = status
    return response


def _look(saga_id: UUID, ask: Ask | None) -> tuple[Look | None, str]:
    """What would come of it; or why that cannot be told."""
    if ask is None:
        return None, ""
    try:
        return Look(preview(saga_id, ask), _signature(ask)), ""
    except NoSuchSaga as error:
        raise Http404(str(error)) from error
    except Error as error:
        return None, f"A service whose books are needed does not answer: {error}"


def _ask(request: HttpRequest, action: Action, said: dict[str, Any]) -> Ask | None:
    """What is asked for; None while what the action needs has not been said."""
    reason, evidence = said.get("reason") or NOT_SAID, said.get("evidence") or NOT_SAID
    actor, statement = actor_of(request), None
    if action in NEEDS_EVIDENCE:
        outcome = Outcome(said["outcome"]) if action is Action.RESOLVE else Outcome.DONE
        statement = Statement(outcome, Grounds(actor.name, reason, evidence), said.get("facts") or {})
    try:
        return Ask(action, actor, reason, said.get("step") or "", statement, evidence if statement else "")
    except NotAsked:
        return None


def _signature(ask: Ask) -> str:
    """The same for the same outcome and facts of the same step."""
    said = ask.statement
    return sha256(repr((ask.step, said and (said.outcome, sorted(said.facts.items())))).encode()).hexdigest()[:16]


def _action(request: HttpRequest, name: str) -> Action:
    try:
        action = Action(name)
    except ValueError as error:
        raise Http404(f"there is no action {name}") from error
    if not allowed(request.user, action):  # type: ignore[arg-type]
        raise PermissionDenied(name)
    return action
