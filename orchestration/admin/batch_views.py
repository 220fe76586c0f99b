"""The pages of batches (one action on many sagas): list, progress, approval and stop."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from orchestration.admin.buttons import LABELS
from orchestration.admin.form_fields import RecordedText, complaints
from orchestration.admin.frame import VIEW_SAGAS, actor_of, for_operators, fragment, page, see
from orchestration.db import clocks
from orchestration.models import ALIAS, Batch
from orchestration.models.actions import OperatorAction
from orchestration.models.operators import BatchState
from orchestration.operators.actions import batches as batch_actions
from orchestration.operators.actions.batches import OPEN, BatchPreview, NotApproved
from orchestration.operators.actions.permissions import may_approve
from orchestration.operators.actions.requests import Ask
from orchestration.operators.insight.keyset import BadCursor, page_of
from orchestration.operators.insight.saga_filter import SagaFilter
from orchestration.text import formatting

FAILURES_LISTED = 100
STOP = "orchestration.stop_batch"


class NotStopped(Exception):
    """The batch was not stopped; the message says why."""


class StopForm(forms.Form):
    """The optional reason for stopping a batch."""

    why = RecordedText(required=False)


@for_operators(VIEW_SAGAS)
def batches(request: HttpRequest) -> HttpResponse:
    """List batches, the newest first, a page at a time."""
    try:
        found = page_of(
            Batch.objects.using(ALIAS).all(), batch_actions.NEWEST_FIRST, after=request.GET.get("after", "")
        )
    except BadCursor as error:
        raise Http404(str(error)) from error
    return page(request, "operations/batches.html", "Batches", batches=found.rows, next=found.next)


@for_operators(VIEW_SAGAS)
def batch(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Show one batch, its progress, and what can be done about it."""
    found = _found(batch_id)
    user: Any = request.user
    waits = found.state == BatchState.ASKED
    preview, away = preview_of(batch_actions.still_wanted(found), batch_actions.ask_of(found)) if waits else (None, "")
    return page(
        request,
        "operations/batch.html",
        f"{LABELS[OperatorAction(found.action)]}: {formatting.count(found.members_chosen, 'saga')}",
        may_stop=user.has_perm(STOP) and found.state in OPEN,
        waits=waits,
        preview=preview,
        skipped=sorted(preview.why_not.items()) if preview else [],
        away=away,
        may_approve=may_approve(user, OperatorAction(found.action)) and user.pk != found.user_id,
        **_progress(found),
    )


@for_operators(VIEW_SAGAS)
def progress(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Show the progress of a batch. The page requests it again until the batch has ended."""
    return fragment(request, "operations/progress.html", **_progress(_found(batch_id)))


@require_POST
@for_operators(VIEW_SAGAS)
def approve(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Record the approval of a second person."""
    found = _found(batch_id)
    if not may_approve(request.user, OperatorAction(found.action)):  # type: ignore[arg-type]
        raise PermissionDenied("approve")
    return _done(request, found, lambda: batch_actions.approve(found, actor_of(request)), "Approved. It begins now.")


@require_POST
@for_operators(VIEW_SAGAS)
def stop(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Stop the batch: no further member is begun."""
    see(request, STOP)
    found, form = _found(batch_id), StopForm(request.POST)

    def act() -> None:
        if not form.is_valid():
            raise NotStopped(complaints(form))
        stopped = batch_actions.stop(found, actor_of(request), form.cleaned_data["why"])
        if stopped.state != BatchState.STOPPED:
            raise NotStopped(f"it is {stopped.state}")

    return _done(request, found, act, "Stopped.")


def preview_of(wanted: SagaFilter, ask: Ask) -> tuple[BatchPreview | None, str]:
    """Return the preview of the batch, and an empty text; or None, and why there is none."""
    try:
        return batch_actions.preview_batch(wanted, ask), ""
    except Error as error:
        return None, f"A service whose database is needed does not answer: {error}"


def _progress(found: Batch) -> dict[str, Any]:
    tally = batch_actions.tally_of(found)
    done = found.members_chosen - tally.to_do
    took = found.started_at and ((found.ended_at or clocks.now()) - found.started_at).total_seconds()
    return {
        "batch": found,
        "tally": tally,
        "done": done,
        "rate": done / took if took else None,
        "is_open": found.state in OPEN or tally.under_way,
        "failures": batch_actions.failures_of(found)[:FAILURES_LISTED],
    }


def _done(request: HttpRequest, found: Batch, act: Callable[[], object], success: str) -> HttpResponse:
    try:
        act()
        messages.success(request, success)
    except (NotApproved, NotStopped) as error:
        messages.error(request, f"Nothing was done: {error}.")
    return HttpResponseRedirect(reverse("operations:batch", args=[found.pk]))


def _found(batch_id: UUID) -> Batch:
    found = Batch.objects.using(ALIAS).filter(pk=batch_id).first()
    if found is None:
        raise Http404(f"there is no batch {batch_id}")
    return found
