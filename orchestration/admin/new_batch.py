"""The page of a new batch (one action on many sagas): first the preview, then the batch, if its sagas are the same."""

from dataclasses import replace
from json import dumps
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse

from orchestration.admin.action_form import ActionForm, action_of, ask_of, signature_of
from orchestration.admin.batch_views import preview_of
from orchestration.admin.buttons import LABELS, MEANINGS
from orchestration.admin.filters import Filter
from orchestration.admin.frame import VIEW_SAGAS, for_operators, page
from orchestration.db import clocks
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions import batches
from orchestration.operators.actions.batch_keys import NotABatch
from orchestration.operators.actions.batch_pacing import FASTEST, SLOWEST, Pace
from orchestration.operators.actions.batches import MEMBERS_LIMIT, USUAL_PACE, BatchPreview
from orchestration.operators.actions.requests import NEEDS_STEP, Ask
from orchestration.operators.insight.current_step import known_steps
from orchestration.operators.insight.saga_filter import SagaFilter, matching
from orchestration.operators.insight.search import search

OF_A_BATCH = ("action", "which", "saga")
"""The parameters of a batch in the URL query. The others are the filters of the list that it came from."""


class FilterField(forms.JSONField):
    """A filter as JSON. Django's field raises other errors for numbers and nesting that Python refuses to read."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError("This is not a filter.") from error


class BatchForm(ActionForm):
    """The action of a batch, its pace and reason. `wanted` and `sagas` (a fingerprint) identify the preview's sagas."""

    wanted = FilterField(widget=forms.HiddenInput)
    sagas = forms.CharField(required=False, widget=forms.HiddenInput)
    token = forms.UUIDField(widget=forms.HiddenInput)
    """Identifies the page of the form, so that a form that is sent twice creates one batch."""
    canary = forms.IntegerField(
        min_value=0, max_value=MEMBERS_LIMIT, initial=USUAL_PACE.canary, label="Canary: how many go first"
    )
    per_second = forms.FloatField(
        min_value=SLOWEST, max_value=FASTEST, initial=USUAL_PACE.per_second, label="Then how many a second"
    )
    stop_above_percent = forms.FloatField(
        min_value=0,
        max_value=100,
        initial=USUAL_PACE.stop_above_percent,
        label="Stop when more than this % failed",
    )

    def __init__(self, action: OperatorAction, posted: QueryDict | None, step: str = "") -> None:
        super().__init__(action, posted, step)
        self.auto_id = "order_%s"
        if action in NEEDS_STEP:
            self.fields["step"] = forms.ChoiceField(
                choices=[("", "choose a step"), *((each, each) for each in known_steps())], label="Step of each saga"
            )
        else:
            del self.fields["step"]

    def pace(self) -> Pace:
        entered = self.cleaned_data
        return Pace(entered["canary"], entered["per_second"], entered["stop_above_percent"])


@for_operators(VIEW_SAGAS)
def new(request: HttpRequest, name: str = "") -> HttpResponse:
    """Show the preview of a batch (GET, or POST without `confirm`), or create the batch."""
    action = action_of(request, name or request.GET.get("action", ""))
    if request.method != "POST":
        wanted = _wanted(request)
        if wanted is None:
            messages.error(request, "Select sagas, or set a filter that leaves some out.")
            return HttpResponseRedirect(_list_as_it_was(request))
        step = _only(wanted.steps) if action in NEEDS_STEP else ""
        ask = None if action is OperatorAction.RESOLVE else ask_of(request, action, {"step": step})
        return _shown(request, action, wanted, BatchForm(action, None, step), ask)
    order = BatchForm(action, request.POST)
    order.is_valid()
    entered = order.cleaned_data
    try:
        wanted = SagaFilter.from_json(entered.get("wanted") or {})
    except ValueError as error:
        raise Http404(str(error)) from error
    if wanted == SagaFilter():
        raise Http404("every saga is too many: say which")
    ask = None if {"step", "outcome", "facts"} & order.errors.keys() else ask_of(request, action, entered)
    if "confirm" not in request.POST or order.errors or ask is None:
        return _shown(request, action, wanted, order, ask)
    return _asked(request, action, wanted, order, ask)


def _asked(
    request: HttpRequest, action: OperatorAction, wanted: SagaFilter, order: BatchForm, ask: Ask
) -> HttpResponse:
    entered = order.cleaned_data
    if entered["looked_at"] != signature_of(ask):
        return _shown(request, action, wanted, order, ask, "Check this preview, then confirm.")
    try:
        key = f"form:{entered['token']}"
        made = batches.ask_for_batch(wanted, ask, order.pace(), looked_at=entered["sagas"], key=key)
    except NotABatch as error:
        return _shown(request, action, wanted, order, ask, f"This batch cannot be started: {error}.")
    return HttpResponseRedirect(reverse("operations:batch", args=[made.pk]))


def _shown(
    request: HttpRequest,
    action: OperatorAction,
    wanted: SagaFilter,
    order: BatchForm,
    ask: Ask | None,
    complaint: str = "",
) -> HttpResponse:
    preview, away = preview_of(wanted, ask) if ask else (None, "")
    return page(
        request,
        "operations/new_batch.html",
        f"{LABELS[action]}: many sagas",
        action=action,
        label=LABELS[action],
        meaning=MEANINGS[action],
        words=wanted.in_words(),
        preview=preview,
        looked_at=signature_of(ask) if ask else "",
        facts_wanted=next((each.facts_wanted for each in preview.examples), "") if preview else "",
        skipped=sorted(preview.why_not.items()) if preview else [],
        may_be_asked=preview is not None and _may_be_asked(preview),
        limit=MEMBERS_LIMIT,
        form=order,
        needs_step=action in NEEDS_STEP,
        wanted=dumps(wanted.as_json()),
        token=uuid4(),
        complaint=complaint,
        away=away,
    )


def _may_be_asked(preview: BatchPreview) -> bool:
    """Return whether the action is possible for one of the examples, and the batch is not too large."""
    return not preview.is_too_many and any(each.possible for each in preview.examples)


def _wanted(request: HttpRequest) -> SagaFilter | None:
    """Return the filter for the selected sagas, or for all sagas of the list.

    Return None when nothing is selected, or when the filter is invalid or empty.
    """
    given = request.GET
    if given.get("which") == "selected":
        selected = frozenset(each for each in map(_uuid, given.getlist("saga")) if each)
        return SagaFilter(ids=selected) if selected else None
    form = Filter(given)
    if not form.is_valid():
        return None
    wanted, text = form.wanted(), form.cleaned_data["q"]
    if not text:
        return None if wanted == SagaFilter() else wanted
    found = search(text)
    for why in found.unread:
        messages.warning(request, f"Not searched: {why}")
    sagas = matching(wanted, now=clocks.now()).filter(found.condition)
    ids = frozenset(sagas.values_list("pk", flat=True)[: MEMBERS_LIMIT + 1])
    return replace(wanted, ids=ids) if ids else None


def _list_as_it_was(request: HttpRequest) -> str:
    given = request.GET.copy()
    for name in OF_A_BATCH:
        given.pop(name, None)
    query = f"?{given.urlencode()}" if given else ""
    return reverse("admin:orchestration_sagainstance_changelist") + query


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _only(words: frozenset[str]) -> str:
    """Return the only word of the set; empty if it has none or several."""
    return next(iter(words)) if len(words) == 1 else ""
