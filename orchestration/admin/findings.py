"""The pages of audit findings: the list, and each finding with its proposed repair, which an operator may apply."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from orchestration.admin.form_fields import complaints
from orchestration.admin.frame import actor_of, for_operators, page
from orchestration.admin.machinery import ReasonForm
from orchestration.db import clocks
from orchestration.operators.audit import apply as finding_actions
from orchestration.operators.audit import queries
from orchestration.operators.audit.apply import Justification, NoSuchFinding, NotApplicable
from orchestration.operators.audit.values import CannotAudit, Repair

VIEW, APPLY, ACCEPT = (f"orchestration.{name}" for name in ("view_auditfinding", "apply_repair", "accept_finding"))
LISTED = 200


@for_operators(VIEW)
def findings(request: HttpRequest) -> HttpResponse:
    """Show open findings and the state of audits; with `?gone` also findings that are gone."""
    found = queries.findings() if "gone" in request.GET else queries.open_findings()
    audit_state = queries.audit_state(now=clocks.now())
    return page(request, "operations/findings.html", "Audit findings", findings=found[:LISTED], audit_state=audit_state)


@for_operators(VIEW)
def finding(request: HttpRequest, finding_id: int) -> HttpResponse:
    """Show one finding, and the request of its proposed repair."""
    repair, why_not = _proposal(finding_id)
    user: Any = request.user
    return page(
        request,
        "operations/finding.html",
        f"Finding {finding_id}",
        finding=finding_actions.find(finding_id),
        repair=repair,
        why_not=why_not,
        may_apply=user.has_perm(APPLY),
        may_accept=user.has_perm(ACCEPT),
    )


@require_POST
@for_operators(APPLY)
def apply(request: HttpRequest, finding_id: int) -> HttpResponse:
    """Start the proposed repair. A second call starts no second repair."""

    def act(justification: Justification) -> str:
        applied = finding_actions.apply(finding_id, justification, now=clocks.now())
        started = "is started" if applied.started else "had been started before"
        return f"Its repair {started}: saga {applied.saga_id}."

    return _done(request, finding_id, act)


@require_POST
@for_operators(ACCEPT)
def accept(request: HttpRequest, finding_id: int) -> HttpResponse:
    """Record that the finding is accepted: it raises no alarm any more."""

    def act(justification: Justification) -> str:
        found = finding_actions.accept(finding_id, justification, now=clocks.now())
        return f"It is accepted, by {found.accepted_by}: {found.accepted_reason}"

    return _done(request, finding_id, act)


def _proposal(finding_id: int) -> tuple[Repair | None, str]:
    try:
        return finding_actions.proposal(finding_id)[1], ""
    except NoSuchFinding as error:
        raise Http404(str(error)) from error
    except NotApplicable as error:
        return None, str(error)


def _done(request: HttpRequest, finding_id: int, act: Callable[[Justification], str]) -> HttpResponse:
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"Nothing was done: {complaints(form)}")
    else:
        try:
            messages.success(request, act(Justification(actor_of(request).name, form.cleaned_data["reason"])))
        except NoSuchFinding as error:
            raise Http404(str(error)) from error
        except (NotApplicable, CannotAudit) as error:
            messages.error(request, f"Nothing was done: {error}")
    return HttpResponseRedirect(reverse("operations:finding", args=[finding_id]))
