"""One action on many sagas: looked at, asked for, approved by a second person, watched, and stopped."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from json import dumps
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from orchestration.admin.buttons import LABELS, MEANINGS
from orchestration.admin.filters import Filter
from orchestration.admin.shell import VIEW_SAGAS, actor_of, for_operators, fragment, page, see
from orchestration.admin.words import Words, complaints
from orchestration.insight.filtering import Wanted
from orchestration.insight.searching import search
from orchestration.models import ALIAS, Batch
from orchestration.operations import bulk
from orchestration.operations.bulk import MEMBERS_LIMIT, USUAL_PACE, NotABatch, NotApproved
from orchestration.operations.models import BatchState
from orchestration.operations.pacing import Pace
from orchestration.operations.permissions import allowed, may_approve
from orchestration.operations.values import NEEDS_STEP, Action, Ask

LISTED = FAILURES_LISTED = 100
STOP = "orchestration.stop_batch"
OPEN = (BatchState.ASKED, BatchState.APPROVED, BatchState.RUNNING)


class NotStopped(Exception):
    """It goes on; the message says why."""


class Order(forms.Form):
    """How a batch is to go, and why; `wanted` and `chosen` are what was looked at."""

    wanted = forms.JSONField(widget=forms.HiddenInput)
    chosen = forms.IntegerField(widget=forms.HiddenInput)
    reason = Words(widget=forms.Textarea({"rows": 2}), label="Reason, for the operator log")
    canary = forms.IntegerField(
        min_value=0, max_value=MEMBERS_LIMIT, initial=USUAL_PACE.canary, label="So many first, as a canary"
    )
    per_second = forms.FloatField(
        min_value=0.01, max_value=1_000, initial=USUAL_PACE.per_second, label="Then so many a second"
    )
    stop_above_percent = forms.FloatField(
        min_value=0, max_value=100, initial=USUAL_PACE.stop_above_percent, label="Stop by itself above so many % failed"
    )

    def pace(self) -> Pace:
        said = self.cleaned_data
        return Pace(said["canary"], said["per_second"], said["stop_above_percent"])


class Stopping(forms.Form):
    """Why a batch is stopped, if somebody says."""

    why = Words(required=False)


@for_operators(VIEW_SAGAS)
def new(request: HttpRequest, name: str = "") -> HttpResponse:
    """Look at a batch (GET), or ask for it."""
    action = _action(request, name or request.GET.get("action", ""))
    if request.method != "POST":
        wanted = _wanted(request.GET)
        if wanted is None:
            messages.error(request, "Nothing is selected, or the filter cannot be read.")
            return HttpResponseRedirect(reverse("admin:orchestration_sagainstance_changelist"))
        return _shown(request, action, wanted, None)
    order = Order(request.POST, auto_id="order_%s", label_suffix="")
    order.is_valid()
    try:
        wanted = Wanted.from_json(order.cleaned_data.get("wanted") or {"": ""})
    except ValueError as error:
        raise Http404(str(error)) from error
    return _shown(request, action, wanted, order) if order.errors else _asked(request, action, wanted, order)


@for_operators(VIEW_SAGAS)
def batches(request: HttpRequest) -> HttpResponse:
    """The newest batches."""
    return page(request, "operations/batches.html", "Batches", batches=Batch.objects.using(ALIAS).all()[:LISTED])


@for_operators(VIEW_SAGAS)
def batch(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """One batch, how far it has come, and what can be done about it."""
    found = _found(batch_id)
    user: Any = request.user
    return page(
        request,
        "operations/batch.html",
        f"{LABELS[Action(found.action)]}: {found.members_chosen} sagas",
        may_stop=user.has_perm(STOP) and found.state in OPEN,
        waits=found.state == BatchState.ASKED,
        may_approve=may_approve(user, Action(found.action)) and user.pk != found.user_id,
        **_progress(found),
    )


@for_operators(VIEW_SAGAS)
def progress(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """How far it has come: asked for again until it has ended."""
    return fragment(request, "operations/progress.html", **_progress(_found(batch_id)))


@require_POST
@for_operators(VIEW_SAGAS)
def approve(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Be the second person."""
    found = _found(batch_id)
    if not may_approve(request.user, Action(found.action)):  # type: ignore[arg-type]
        raise PermissionDenied("approve")
    return _done(request, found, lambda: bulk.approve(found, actor_of(request)), "It is approved, and begins.")


@require_POST
@for_operators(VIEW_SAGAS)
def stop(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Begin no further member."""
    see(request, STOP)
    found, said = _found(batch_id), Stopping(request.POST)

    def act() -> None:
        if not said.is_valid():
            raise NotStopped(complaints(said))
        bulk.stop(found, actor_of(request), said.cleaned_data["why"])

    return _done(request, found, act, "It is stopped.")


def _asked(request: HttpRequest, action: Action, wanted: Wanted, order: Order) -> HttpResponse:
    ask = Ask(action, actor_of(request), order.cleaned_data["reason"])
    if bulk.preview_batch(wanted, ask).chosen != order.cleaned_data["chosen"]:
        return _shown(request, action, wanted, order, "It would be other sagas by now: nothing was begun. Look again.")
    try:
        made = bulk.ask_for_batch(wanted, ask, order.pace())
    except NotABatch as error:
        return _shown(request, action, wanted, order, f"It cannot be asked for: {error}.")
    return HttpResponseRedirect(reverse("operations:batch", args=[made.pk]))


def _shown(
    request: HttpRequest, action: Action, wanted: Wanted, order: Order | None, complaint: str = ""
) -> HttpResponse:
    preview = bulk.preview_batch(wanted, Ask(action, actor_of(request), "looking"))
    return page(
        request,
        "operations/new_batch.html",
        f"{LABELS[action]}: many sagas",
        action=action,
        label=LABELS[action],
        meaning=MEANINGS[action],
        words=wanted.in_words(),
        preview=preview,
        skipped=sorted(preview.why_not.items()),
        limit=MEMBERS_LIMIT,
        form=order or Order(auto_id="order_%s", label_suffix=""),
        wanted=dumps(wanted.as_json()),
        complaint=complaint,
    )


def _wanted(given: QueryDict) -> Wanted | None:
    """The selected sagas, or all that meet the filter; None when nothing is selected or the filter cannot be read."""
    if given.get("which") == "selected":
        ids = [each for each in map(_uuid, given.getlist("saga")) if each]
        return Wanted(ids=frozenset(ids)) if ids else None
    form = Filter(given)
    if not form.is_valid():
        return None
    wanted, text = form.wanted(), form.cleaned_data["q"]
    if not text:
        return wanted
    found = frozenset(search(text).sagas.values_list("pk", flat=True)[: MEMBERS_LIMIT + 1])
    return replace(wanted, ids=found) if found else None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _progress(found: Batch) -> dict[str, Any]:
    tally = bulk.tally_of(found)
    done = found.members_chosen - tally.to_do
    took = found.started_at and ((found.ended_at or datetime.now(UTC)) - found.started_at).total_seconds()
    return {
        "batch": found,
        "tally": tally,
        "done": done,
        "rate": done / took if took else None,
        "is_open": found.state in OPEN or tally.under_way,
        "failures": bulk.failures_of(found)[:FAILURES_LISTED],
    }


def _done(request: HttpRequest, found: Batch, act: Callable[[], object], said: str) -> HttpResponse:
    try:
        act()
        messages.success(request, said)
    except (NotApproved, NotStopped) as error:
        messages.error(request, f"Nothing was done: {error}.")
    return HttpResponseRedirect(reverse("operations:batch", args=[found.pk]))


def _found(batch_id: UUID) -> Batch:
    found = Batch.objects.using(ALIAS).filter(pk=batch_id).first()
    if found is None:
        raise Http404(f"there is no batch {batch_id}")
    return found


def _action(request: HttpRequest, name: str) -> Action:
    try:
        action = Action(name)
    except ValueError as error:
        raise Http404(f"there is no action {name}") from error
    if action in NEEDS_STEP or not allowed(request.user, action):  # type: ignore[arg-type]
        raise PermissionDenied(name)
    return action
