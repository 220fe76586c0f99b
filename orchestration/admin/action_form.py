"""The form of an action, on one saga or on many, and the request that is made from it."""

from hashlib import sha256
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, QueryDict

from orchestration.admin.form_fields import RecordedText, WithoutCardNumbers
from orchestration.admin.frame import actor_of
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions.permissions import allowed
from orchestration.operators.actions.requests import NEEDS_EVIDENCE, Ask, NotAsked
from orchestration.operators.actions.void_hold import VOIDS
from orchestration.participant.manual_outcome import ReportedOutcome
from orchestration.text.cleaning import harmless_text, is_harmless

NOT_GIVEN = "not given yet"
"""The placeholder for reason and evidence while an action is only previewed."""


class ActionForm(forms.Form):
    """What an operator enters for an action. `version` and `looked_at` identify the preview that was shown before."""

    step = forms.CharField(required=False, widget=forms.HiddenInput)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    looked_at = forms.CharField(required=False, widget=forms.HiddenInput)
    outcome = forms.ChoiceField(
        choices=[(each.value, each.value) for each in ReportedOutcome], label="Outcome of the call"
    )
    facts = WithoutCardNumbers(required=False, widget=forms.Textarea({"rows": 3}), label="Facts, one name=value a line")
    void = forms.BooleanField(required=False, label="Void what stays on hold at the gateway")
    reason = RecordedText(widget=forms.Textarea({"rows": 2}), label="Reason, for the operator log")
    evidence = RecordedText(widget=forms.TextInput(), label="Evidence, such as a statement and its line")

    def __init__(self, action: OperatorAction, posted: QueryDict | None, step: str) -> None:
        super().__init__(posted, auto_id="said_%s", label_suffix="", initial={"step": step})
        if action is not OperatorAction.RESOLVE:
            del self.fields["outcome"]
        if action not in NEEDS_EVIDENCE:
            del self.fields["evidence"], self.fields["facts"]
        if action is not OperatorAction.SETTLE or (self["step"].value() or "") not in VOIDS:
            del self.fields["void"]

    def clean_facts(self) -> dict[str, str]:
        facts = {}
        for line in filter(str.strip, self.cleaned_data["facts"].splitlines()):
            name, equals, value = line.partition("=")
            if not equals or not name.strip() or not is_harmless(line):
                raise forms.ValidationError(f"{harmless_text(line)} is not name=value")
            facts[name.strip()] = value.strip()
        return facts


def action_of(request: HttpRequest, name: str) -> OperatorAction:
    """Return the action of that name, if the user may take it.

    :raises Http404: when there is no such action.
    :raises PermissionDenied: when the user may not take it.
    """
    try:
        action = OperatorAction(name)
    except ValueError as error:
        raise Http404(f"there is no action {name}") from error
    if not allowed(request.user, action):  # type: ignore[arg-type]
        raise PermissionDenied(name)
    return action


def ask_of(request: HttpRequest, action: OperatorAction, entered: dict[str, Any]) -> Ask | None:
    """Return the request that was entered; None while the form lacks something that the action needs."""
    reason, evidence = entered.get("reason") or NOT_GIVEN, entered.get("evidence") or NOT_GIVEN
    try:
        return Ask(
            action,
            actor_of(request),
            reason,
            step=entered.get("step") or "",
            outcome=ReportedOutcome(entered["outcome"]) if action is OperatorAction.RESOLVE else None,
            facts=entered.get("facts") or {},
            evidence=evidence if action in NEEDS_EVIDENCE else "",
            void=bool(entered.get("void")),
        )
    except NotAsked:
        return None


def signature_of(ask: Ask) -> str:
    """Return a signature of the step, the outcome, the facts and the choice to void. It shows whether they changed."""
    details = ask.outcome and (ask.outcome, sorted(ask.facts.items()))
    return sha256(repr((ask.step, details, ask.void)).encode()).hexdigest()[:16]
