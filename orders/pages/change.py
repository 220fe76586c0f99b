"""The pages of a change of an order: first the preview, then the change, if it would still do the same."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from orchestration.admin.frame import page
from orchestration.api.polling import wait_for
from orchestration.api.problems import Problem
from orchestration.db import clocks
from orders.api.access import Access, recorded_name
from orders.api.change_progress import FAILED, decided_change
from orders.api.change_start import AcceptedChange, ChangeAttempt, planned, start_change
from orders.models import Order, ReturnRequest
from orders.pages.change_form import ChangeForm, signature_of
from orders.pages.kinds import KINDS, KindOfChange
from orders.pages.preview import consequences
from orders.selectors import order_with_lines, return_request

DECIDED_WITHIN = timedelta(seconds=3)
"""How long the page waits for the outcome before it says that the change is under way."""


@dataclass(frozen=True)
class Target:
    """The order that is to be changed, and the return request that is received, if one is."""

    meant: KindOfChange
    order: Order
    return_request: ReturnRequest | None = None

    @property
    def url(self) -> str:
        """The page of the order."""
        return reverse("admin:orders_order_change", args=[self.order.pk])


@dataclass(frozen=True)
class ChangePreview:
    """What a change would do, and a signature of it; or why it is not possible."""

    will: list[str]
    signature: str = ""
    why_not: str = ""


def change_order(request: HttpRequest, order_id: UUID, verb: str) -> HttpResponse:
    """Show the preview of a change (GET, or POST without `confirm`), or start it."""
    if verb not in KINDS or verb == "receive":
        raise Http404(f"there is no change {verb}")
    return _answer(request, _target(request, KINDS[verb], order_id, None))


def receive_return(request: HttpRequest, return_id: UUID) -> HttpResponse:
    """Show the preview of receiving a returned parcel, or start it."""
    made = return_request(return_id)
    if made is None:
        raise Http404(f"there is no return request {return_id}")
    return _answer(request, _target(request, KINDS["receive"], made.order_id, made))


def _target(request: HttpRequest, meant: KindOfChange, order_id: UUID, made: ReturnRequest | None) -> Target:
    if not request.user.has_perm(meant.permission):  # type: ignore[union-attr]
        raise PermissionDenied(meant.permission)
    order = order_with_lines(order_id)
    if order is None:
        raise Http404(f"there is no order {order_id}")
    return Target(meant, order, made)


def _answer(request: HttpRequest, target: Target) -> HttpResponse:
    form = ChangeForm(target.meant.kind, target.order, request.POST or None, target.return_request)
    if request.method != "POST":
        return _shown(request, target, form, _first_look(target, form))
    form.is_valid()
    if form.errors.keys() - {"reason"}:
        return _shown(request, target, form, None)
    look = _look(target, form)
    if "confirm" not in request.POST:
        form.errors.clear()  # the reason is not needed yet
    if "confirm" not in request.POST or form.errors or not look.signature:
        return _shown(request, target, form, look)
    if form.cleaned_data["looked_at"] != look.signature:
        return _shown(request, target, form, look, "Check this preview, then confirm.", status=409)
    return _started(request, target, form, look)


def _started(request: HttpRequest, target: Target, form: ChangeForm, look: ChangePreview) -> HttpResponse:
    now, key = clocks.now(), form.cleaned_data["key"]
    access = Access(target.order, recorded_name(request.user.get_username()))
    attempt = ChangeAttempt(target.meant.kind, access, clocks.new_id(now), key, look.signature, target.return_request)
    try:
        accepted = start_change(attempt, lambda: form.asked, now=now)
    except Problem as problem:
        return _shown(request, target, form, look, f"Nothing was done. {problem.document.detail}", status=409)
    _report(request, target, accepted)
    return HttpResponseRedirect(target.url)


def _report(request: HttpRequest, target: Target, accepted: AcceptedChange) -> None:
    """Tell the outcome if it is known soon, else that the change is under way."""
    verb = target.meant.verb.capitalize()
    change = wait_for(lambda: decided_change(target.order, accepted.id), DECIDED_WITHIN)
    if change is None:
        messages.info(request, f"{verb}: under way. Its status is below.")
    elif change.status == FAILED:
        messages.error(request, f"{verb}: refused. {change.failure.shown['detail'] if change.failure else ''}")
    else:
        messages.success(request, f"{verb}: confirmed.")


def _first_look(target: Target, form: ChangeForm) -> ChangePreview | None:
    """Return the preview of a form in which nothing has to be entered but the reason, with its first values."""
    initial = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    form.cleaned_data = {name: value for name, value in initial.items() if value is not None}
    return _look(target, form)


def _look(target: Target, form: ChangeForm) -> ChangePreview:
    asked = replace(form.asked, reason="")
    try:
        would_be = planned(target.order, asked, target.return_request, clocks.now())
    except Problem as problem:
        document = problem.document
        details = [error.detail for error in document.errors]
        return ChangePreview([], why_not=" ".join([document.detail, *details]))
    return ChangePreview(consequences(target.order, asked, would_be), signature_of(asked, would_be))


def _shown(
    request: HttpRequest,
    target: Target,
    form: ChangeForm,
    look: ChangePreview | None,
    complaint: str = "",
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "target": target,
        "order": target.order,
        "meant": target.meant,
        "form": form,
        "look": look,
        "complaint": complaint,
    }
    title = f"{target.meant.verb.capitalize()}: order {target.order.pk}"
    response = page(request, "orders/change.html", title, **context)
    response.status_code = status
    return response
