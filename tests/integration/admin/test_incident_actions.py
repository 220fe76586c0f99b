"""Incidents in the admin: which actions they offer."""

from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config import env
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions import applicable
from orchestration.operators.actions.batches import preview_batch
from orchestration.operators.actions.requests import NEEDS_EVIDENCE, Ask
from orchestration.operators.insight.incidents import incidents
from orchestration.operators.insight.sources import Unavailable
from orchestration.participant.manual_outcome import ReportedOutcome
from tests.integration.admin.conftest import Operator
from tests.integration.admin.situations import Situations
from tests.integration.admin.unknown import Unknown
from tests.integration.operators.actions.conftest import ADA

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

INCIDENTS = "/admin/operations/incidents/"
SAID = "looking"


def can_apply(wanted, action: OperatorAction, step: str) -> bool:
    """Whether a batch of it could do something to one of these sagas at least."""
    outcomes = list(ReportedOutcome) if action is OperatorAction.RESOLVE else [ReportedOutcome.DONE]
    for outcome in outcomes:
        word: dict[str, Any] = {"step": step, "outcome": outcome, "evidence": SAID} if action in NEEDS_EVIDENCE else {}
        ask = Ask(action, ADA, SAID, **word)
        if preview_batch(wanted, ask).possible:
            return True
    return False


def test_incidents_offer_just_what_a_batch_could_do(admin_client: Client, situations: Situations) -> None:
    situations.every()
    Unknown(situations).authorisation()
    Unknown(situations).refund()
    lines = admin_client.get(INCIDENTS).context["lines"]
    offered = [(line["incident"], set(line["actions"])) for line in lines]
    assert len(offered) == len(incidents())
    for incident, actions in offered:
        assert actions == {each for each in OperatorAction if can_apply(incident.wanted, each, incident.step)}
    assert any(OperatorAction.RESOLVE in actions for _, actions in offered)
    assert any(OperatorAction.SETTLE not in actions for _, actions in offered)


def test_nothing_is_offered_that_the_operator_may_not_do(operator: Operator, situations: Situations) -> None:
    situations.parked_after_pivot()
    assert [line["actions"] for line in operator.client.get(INCIDENTS).context["lines"]] == [[]]


def test_incidents_are_shown_while_a_service_does_not_answer(
    admin_client: Client, situations: Situations, monkeypatch: pytest.MonkeyPatch
) -> None:
    Unknown(situations).refund()
    monkeypatch.setattr(applicable, "read", lambda source, question: Unavailable(f"{source} does not answer"))
    [line] = admin_client.get(INCIDENTS).context["lines"]
    assert OperatorAction.RESOLVE not in line["actions"]
    assert OperatorAction.RESUME in line["actions"]


def test_each_service_is_asked_once(situations: Situations) -> None:
    for _ in range(3):
        situations.failing(), situations.parked_compensation()
    with CaptureQueriesContext(connections["payments"]) as asked:
        applicable.applicable_at([situations.shop.saga(each) for incident in incidents() for each in incident.ids])
    assert len(asked) == 1
