"""The page of incidents: one line for the sagas that fail alike, with the actions on all of them."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse

from orchestration.admin.filters import parameters_of
from orchestration.admin.frame import VIEW_SAGAS, for_operators, page
from orchestration.admin.list_view import actions_on_many
from orchestration.models import ALIAS, SagaInstance
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions.applicable import applicable_at
from orchestration.operators.insight import incidents as incident_reads
from orchestration.operators.insight.incidents import Incident
from orchestration.text import formatting


@for_operators(VIEW_SAGAS)
def incidents(request: HttpRequest) -> HttpResponse:
    """List every incident, the largest first."""
    found = incident_reads.incidents()
    lines = [line_of(incident) | {"actions": actions} for incident, actions in _with_actions(found, request.user)]
    return page(request, "operations/incidents.html", "Incidents", lines=lines)


def _with_actions(found: Sequence[Incident], user: Any) -> Iterator[tuple[Incident, list[OperatorAction]]]:
    """Yield each incident with the actions that this user may take and that would change one of its sagas."""
    examples = {saga_id for incident in found for saga_id in incident.examples}
    can = applicable_at(SagaInstance.objects.using(ALIAS).filter(pk__in=examples))
    for incident in found:
        possible = frozenset[OperatorAction]().union(*(can.get(saga_id, ()) for saga_id in incident.examples))
        yield incident, [action for action in actions_on_many(user) if action in possible]


def line_of(incident: Incident) -> dict[str, Any]:
    """Return what a line shows of the incident, and the URL parameters that select its sagas."""
    stake = [formatting.money(amount, currency) for currency, amount in sorted(incident.at_stake_minor.items())]
    return {"incident": incident, "query": parameters_of(incident.wanted), "at_stake": stake}
