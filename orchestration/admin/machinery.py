"""The pages of breakers and dead letters, and the actions on them, which need a reason."""

from collections.abc import Callable
from datetime import timedelta

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from orchestration.admin.form_fields import RecordedText, complaints
from orchestration.admin.frame import VIEW_SAGAS, actor_of, for_operators, page
from orchestration.operators.actions import breakers as breaker_actions
from orchestration.operators.actions import dead_letters as dead_letter_actions
from orchestration.operators.actions.permissions import HANDLE_DEAD_LETTERS, OPERATE_BREAKERS
from orchestration.operators.actions.recorded_action import NotDone, NotKnown
from orchestration.operators.actions.requests import Actor
from orchestration.operators.insight import breakers as breaker_reads
from orchestration.operators.insight import dead_letters as dead_letter_reads
from orchestration.operators.insight.dead_letters import DeadLetter
from orchestration.operators.insight.sources import Unavailable

A_DAY_IN_MINUTES = 1_440


class ReasonForm(forms.Form):
    """What an operator enters for an action on a breaker or a dead letter."""

    reason = RecordedText(error_messages={"required": "a reason is needed."})
    minutes = forms.FloatField(
        required=False, min_value=0, max_value=A_DAY_IN_MINUTES, error_messages={"max_value": "a day is the most."}
    )


@for_operators(VIEW_SAGAS)
def breakers(request: HttpRequest) -> HttpResponse:
    """Show every breaker as it is now."""
    found = breaker_reads.breakers()
    may = request.user.has_perm(OPERATE_BREAKERS)  # type: ignore[union-attr]
    return page(request, "operations/breakers.html", "Breakers", breakers=found, may=may, **_down(found))


@require_POST
@for_operators(OPERATE_BREAKERS)
def open_breaker(request: HttpRequest, name: str) -> HttpResponse:
    """Open a breaker for some minutes: no external call is made."""

    def act(word: ReasonForm, actor: Actor) -> str:
        minutes = word.cleaned_data["minutes"]
        until = breaker_actions.time_after(timedelta(minutes=minutes)) if minutes else None
        breaker_actions.open_breaker(name, until=until, actor=actor, reason=word.cleaned_data["reason"])
        return f"{name} is open."

    return _done(request, "operations:breakers", act)


@require_POST
@for_operators(OPERATE_BREAKERS)
def close_breaker(request: HttpRequest, name: str) -> HttpResponse:
    """Close a breaker: external calls are made again."""

    def act(word: ReasonForm, actor: Actor) -> str:
        breaker_actions.close_breaker(name, actor=actor, reason=word.cleaned_data["reason"])
        return f"{name} is closed."

    return _done(request, "operations:breakers", act)


@for_operators(VIEW_SAGAS)
def dead_letters(request: HttpRequest) -> HttpResponse:
    """Show messages that no worker could process."""
    heap = dead_letter_reads.dead_letters()
    may = request.user.has_perm(HANDLE_DEAD_LETTERS)  # type: ignore[union-attr]
    return page(request, "operations/dead_letters.html", "Dead letters", heap=heap, may=may, **_down(heap))


@require_POST
@for_operators(HANDLE_DEAD_LETTERS)
def send_again(request: HttpRequest, dead_letter_id: str) -> HttpResponse:
    """Send a dead letter to the queue that rejected it."""
    return _with_dead_letter(request, dead_letter_id, dead_letter_actions.send_again, "is sent again to")


@require_POST
@for_operators(HANDLE_DEAD_LETTERS)
def discard(request: HttpRequest, dead_letter_id: str) -> HttpResponse:
    """Discard a dead letter."""
    return _with_dead_letter(request, dead_letter_id, dead_letter_actions.discard, "is discarded; it had died in")


def _with_dead_letter(
    request: HttpRequest, dead_letter_id: str, do: Callable[..., DeadLetter], result: str
) -> HttpResponse:
    def act(word: ReasonForm, actor: Actor) -> str:
        dead_letter = do(dead_letter_id, actor=actor, reason=word.cleaned_data["reason"])
        return f"{dead_letter.task or 'The message'} {result} {dead_letter.queue or 'an unknown queue'}."

    return _done(request, "operations:dead-letters", act)


def _done(request: HttpRequest, route: str, act: Callable[[ReasonForm, Actor], str]) -> HttpResponse:
    """Take the action if a reason is given. Redirect to the page, with a message about the result."""
    word = ReasonForm(request.POST)
    if not word.is_valid():
        messages.error(request, f"Nothing was done: {complaints(word)}")
        return HttpResponseRedirect(reverse(route))
    try:
        messages.success(request, act(word, actor_of(request)))
    except NotDone as error:
        messages.error(request, f"Nothing was done: {error}")
    except NotKnown as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(reverse(route))


def _down(found: object) -> dict[str, str]:
    return {"down": found.why} if isinstance(found, Unavailable) else {}
