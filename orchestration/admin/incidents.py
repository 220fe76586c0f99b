"""What fails alike, one line each, with a way to act on all of it."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from orchestration import wording
from orchestration.admin.filters import parameters_of
from orchestration.admin.listing import actions_on_many
from orchestration.admin.shell import VIEW_SAGAS, for_operators, page
from orchestration.insight import incidents as insight
from orchestration.insight.incidents import Incident


@for_operators(VIEW_SAGAS)
def incidents(request: HttpRequest) -> HttpResponse:
    """Every incident, the largest first."""
    lines = [line_of(incident) for incident in insight.incidents()]
    return page(request, "operations/incidents.html", "Incidents", lines=lines, actions=actions_on_many(request.user))


def line_of(incident: Incident) -> dict[str, Any]:
    """What a line shows of it, and the parameters that ask for its sagas."""
    stake = [wording.money(amount, currency) for currency, amount in sorted(incident.at_stake_minor.items())]
    return {"incident": incident, "query": parameters_of(incident.wanted), "at_stake": stake}
