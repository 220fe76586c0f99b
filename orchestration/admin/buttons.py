"""The buttons on a saga's page: the actions that an operator may take on it now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from orchestration.engine.row_mapping import state_of
from orchestration.models import SagaInstance
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions.applicable import applicable
from orchestration.operators.actions.permissions import allowed
from orchestration.operators.insight.saga_view import SagaView
from orchestration.participant.participant import participants
from orchestration.participant.reconciliation import external_commands
from orchestration.sagas import UnknownDefinition, definition_of

LABELS: Mapping[OperatorAction, str] = {action: action.value.capitalize() for action in OperatorAction}
"""The labels of the buttons. An action has the same name in admin, commands, API and operator log."""
MEANINGS: Mapping[OperatorAction, str] = {
    OperatorAction.RESUME: "Try again every step that is due or parked.",
    OperatorAction.RETRY: "Try again the waiting steps now. Parked steps stay parked.",
    OperatorAction.CANCEL: "Cancel the order, as its customer would: every step that was done is compensated.",
    OperatorAction.COMPENSATE: "Undo every step that was done: holds are released, money goes back.",
    OperatorAction.PAUSE: "Send nothing until an operator unpauses it. A message in flight still reports.",
    OperatorAction.UNPAUSE: "Let it continue.",
    OperatorAction.RESOLVE: "Record the outcome of a call that gateway or carrier never answered.",
    OperatorAction.SETTLE: (
        "Record that the parked step was settled by hand, outside this system: it is not called any more."
    ),
}


@dataclass(frozen=True)
class Button:
    action: OperatorAction
    step: str
    label: str
    meaning: str
    url: str


def buttons_for(view: SagaView, user: Any) -> list[Button]:
    """Return the buttons of the actions that this user may take and that would change the saga in its present state."""
    try:
        saga = definition_of(view.instance.definition)
    except UnknownDefinition:
        return []
    return [
        button(view.instance, each.action, each.step)
        for each in applicable(saga, state_of(view.instance), _open_steps(view))
        if allowed(user, each.action)
    ]


def action_url(instance: SagaInstance, action: OperatorAction, step: str = "") -> str:
    """Return the URL of the action's preview."""
    url = reverse("operations:act", args=[instance.pk, action.value])
    return f"{url}?{urlencode({'step': step})}" if step else url


def button(instance: SagaInstance, action: OperatorAction, step: str = "") -> Button:
    """Return the button of an action."""
    label = f"{LABELS[action]}: {step}" if step else LABELS[action]
    return Button(action, step, label, MEANINGS[action], action_url(instance, action, step))


def _open_steps(view: SagaView) -> Iterator[str]:
    """Yield the steps with an external call whose outcome is unknown."""
    for service, rows in view.ledgers.items():
        calls = external_commands(participants()[service])
        yield from (row.step for row in rows or () if (row.status, row.step) in calls)
