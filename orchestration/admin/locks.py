"""The page of locks, and the two forms that break one: they are sent by different people."""

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_POST

from orchestration.admin.form_fields import RecordedText, complaints
from orchestration.admin.frame import VIEW_SAGAS, actor_of, for_operators, page
from orchestration.db import clocks
from orchestration.operators.actions import lock_breaks
from orchestration.operators.actions.permissions import BREAK_LOCK
from orchestration.operators.actions.recorded_action import NotDone, NotKnown
from orchestration.operators.insight import locks as lock_reads
from orchestration.operators.insight.wait_graph import SHOWN_FOR, ended_deadlocks, wait_graph
from orchestration.operators.insight.wait_graph_svg import wait_graph_svg


class BreakForm(forms.Form):
    """What an operator enters to have a lock broken."""

    resource = forms.CharField(max_length=200)
    reason = RecordedText(error_messages={"required": "a reason is needed."})
    evidence = RecordedText(error_messages={"required": "evidence is needed."})


class ApproveForm(forms.Form):
    """The lock that the second person has broken."""

    resource = forms.CharField(max_length=200)


@for_operators(VIEW_SAGAS)
def locks(request: HttpRequest) -> HttpResponse:
    """Show the locks as they are now, and the deadlocks of the last day."""
    now, found, graph = clocks.now(), lock_reads.locks(), wait_graph()
    return page(
        request,
        "operations/locks.html",
        "Locks",
        found=found,
        graph=graph,
        picture=mark_safe(wait_graph_svg(graph, now)),
        deadlocks=ended_deadlocks(since=now - SHOWN_FOR),
        may=request.user.has_perm(BREAK_LOCK),  # type: ignore[union-attr]
        requests=lock_breaks.all_asked_for(found.locks),
    )


@require_POST
@for_operators(BREAK_LOCK)
def ask_to_break(request: HttpRequest) -> HttpResponse:
    """Ask to break a lock. A second person must approve it."""

    def act(form: forms.Form) -> str:
        asked = lock_breaks.ask_to_break(actor=actor_of(request), **form.cleaned_data)
        return f"{asked.asked_by} asks to break {asked.resource}. It waits for a second person."

    return _done(request, BreakForm(request.POST), act)


@require_POST
@for_operators(BREAK_LOCK)
def approve(request: HttpRequest) -> HttpResponse:
    """Break a lock, as the second person."""

    def act(form: forms.Form) -> str:
        broken = lock_breaks.approve_break(form.cleaned_data["resource"], actor=actor_of(request))
        holder = f"Saga {broken.handed_to.saga_id} has it now." if broken.handed_to else "It is free now."
        return f"{broken.request.resource} is broken. {holder}"

    return _done(request, ApproveForm(request.POST), act)


def _done(request: HttpRequest, form: forms.Form, act: Callable[[forms.Form], str]) -> HttpResponse:
    """Take the action if the form is complete. Redirect to the page, with a message about the result."""
    if not form.is_valid():
        messages.error(request, f"Nothing was done: {complaints(form)}")
    else:
        try:
            messages.success(request, act(form))
        except NotDone as error:
            messages.error(request, f"Nothing was done: {error}")
        except NotKnown as error:
            messages.error(request, str(error))
    return HttpResponseRedirect(reverse("operations:locks"))
