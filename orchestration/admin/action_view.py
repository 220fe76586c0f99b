"""The pages of an action on one saga: first the preview, then the action, if the saga has not changed in between."""

from dataclasses import dataclass
from uuid import UUID

from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from orchestration.admin.action_form import ActionForm, action_of, ask_of, signature_of
from orchestration.admin.buttons import LABELS, MEANINGS, Button, button
from orchestration.admin.frame import VIEW_SAGAS, for_operators, page
from orchestration.engine.engine import NoSuchSaga
from orchestration.engine.selectors import saga
from orchestration.models import SagaInstance
from orchestration.models.actions import MOVES_MONEY, Code, OperatorAction
from orchestration.operators.actions.perform import perform
from orchestration.operators.actions.permissions import allowed
from orchestration.operators.actions.preview import preview
from orchestration.operators.actions.requests import Ask, Preview
from orchestration.operators.insight.status import status_of
from orchestration.protocol.states import Phase


@dataclass(frozen=True)
class ActionPreview:
    """The preview of an action, and a signature of what was entered for it."""

    preview: Preview
    signature: str


@for_operators(VIEW_SAGAS)
def act(request: HttpRequest, saga_id: UUID, name: str) -> HttpResponse:
    """Show the preview of an action (GET, or POST without `confirm`), or take it."""
    action, instance = action_of(request, name), saga(saga_id)
    if instance is None:
        raise Http404(f"there is no saga {saga_id}")
    step = request.GET.get("step", "")
    form = ActionForm(action, request.POST or None, step)
    if request.method != "POST":
        ask = None if action is OperatorAction.RESOLVE else ask_of(request, action, {"step": step})
        return _shown(request, instance, action, form, ask)
    form.is_valid()
    entered = form.cleaned_data
    if "confirm" not in request.POST or form.errors:
        ready = not {"outcome", "facts"} & form.errors.keys()
        return _shown(request, instance, action, form, ask_of(request, action, entered) if ready else None)
    return _taken(request, instance, action, form)


def _taken(request: HttpRequest, instance: SagaInstance, action: OperatorAction, form: ActionForm) -> HttpResponse:
    entered = form.cleaned_data
    ask = ask_of(request, action, entered)
    if ask is None or entered["version"] is None or entered["looked_at"] != signature_of(ask):
        return _shown(request, instance, action, form, ask, "Check this preview, then confirm.")
    entry = perform(instance.pk, ask, expected_version=entered["version"])
    if entry.code == Code.CHANGED_MEANWHILE:
        fresh = saga(instance.pk) or instance
        complaint = "The saga has changed since you looked, so nothing was done. This is its state now."
        return _shown(request, fresh, action, form, ask, complaint, status=409)
    return HttpResponseRedirect(reverse("operations:entry", args=[entry.pk]))


def _shown(
    request: HttpRequest,
    instance: SagaInstance,
    action: OperatorAction,
    form: ActionForm,
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
        instead=_resume_button(request, instance, action, look),
    )
    response.status_code = status
    return response


def _resume_button(
    request: HttpRequest, instance: SagaInstance, action: OperatorAction, look: ActionPreview | None
) -> Button | None:
    """Return the resume button if settling would leave money at the gateway."""
    would_leave_it = (
        action is OperatorAction.SETTLE and instance.phase == Phase.COMPENSATING and look and look.preview.money
    )
    may = allowed(request.user, OperatorAction.RESUME)  # type: ignore[arg-type]
    return button(instance, OperatorAction.RESUME) if would_leave_it and may else None


def _look(saga_id: UUID, ask: Ask | None) -> tuple[ActionPreview | None, str]:
    """Return the preview of the action, or why there is none."""
    if ask is None:
        return None, ""
    try:
        return ActionPreview(preview(saga_id, ask), signature_of(ask)), ""
    except NoSuchSaga as error:
        raise Http404(str(error)) from error
    except Error as error:
        return None, f"A service whose database is needed does not answer: {error}"
