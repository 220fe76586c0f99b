"""One report that cannot be written down must not cost the other sagas of its batch theirs, and is heard itself."""

import json
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest
from django.conf import settings
from django.db import DataError
from uuid_utils.compat import uuid7

from orchestration import tasks
from orchestration.engine import engine, reports
from orchestration.engine.saga_event import SagaEvent
from orchestration.messaging import canvas
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.participant.executor import _ending
from orchestration.participant.outcomes import Outcome, Refused
from orchestration.participant.participant import participant_of
from orchestration.protocol.events import StepFailed, StepRefused
from orchestration.protocol.states import Operation
from orchestration.sagas.checkout import checkout
from payments.gateways.port import CardDeclined, GatewayBroken
from tests.support.shop import Shop, forward_from

pytestmark = pytest.mark.django_db(transaction=True, databases=["orchestration"])
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HALF_A_PAIR = json.loads('"\\ud83d"')


def start(now: datetime = NOW) -> UUID:
    request = Shop().request()
    origin = engine.Origin("ann", request.idempotency_key, "hash")
    return engine.start_saga(checkout, request, saga_id=uuid7(), origin=origin, now=now).saga_id


def failed(text: str) -> StepFailed:
    return StepFailed("authorise_payment", Operation.ACTION, 1, {"class": "GatewayBroken", "message": text})


def test_a_report_with_a_nul_does_not_take_its_neighbours_with_it(sent):
    odd, others = start(), [start() for _ in range(3)]
    reports = [SagaEvent(odd, failed("Declined\x00")), *(SagaEvent(each, failed("503")) for each in others)]

    outcomes = tasks._apply(reports)

    assert [isinstance(each, SagaInstance) for each in outcomes[1:]] == [True] * 3, outcomes
    assert SagaInstance.objects.filter(pk__in=others, in_flight=False).count() == 3


def test_a_report_with_a_nul_is_heard_of_itself(sent):
    odd = start()

    [outcome] = tasks._apply([SagaEvent(odd, failed("Declined\x00"))])

    assert isinstance(outcome, SagaInstance), outcome
    assert SagaInstance.objects.get(pk=odd).failing_step == "authorise_payment"


def test_a_refusal_does_not_wait_behind_somebody_elses_nul(sent):
    odd, refused = start(), start()
    no = StepRefused("authorise_payment", {"code": "card_declined", "detail": "no", "facts": {"text": "\x00"}})
    plain = StepRefused("authorise_payment", {"code": "card_declined", "detail": "no"})

    tasks._apply([SagaEvent(odd, no), SagaEvent(refused, plain)])

    assert SagaInstance.objects.get(pk=refused).phase == "compensating"


def heard_of(saga_id: UUID, outcome: Outcome | Exception) -> SagaInstance:
    """Let its first step end so, and carry the report to the orchestrator as a message does."""
    instance = SagaInstance.objects.get(pk=saga_id)
    context = {"known": {**instance.request, "saga_id": str(saga_id)}, "trail": []}
    message = delivered(
        canvas.command_message(checkout, forward_from("reserve_stock"), saga_id, instance.token, context)
    )
    [following] = _ending(participant_of("inventory"), message, outcome).messages
    report = delivered(following)
    [applied] = tasks._apply([reports.read(report.task, report.args, report.kwargs)])
    assert isinstance(applied, SagaInstance), applied
    return SagaInstance.objects.get(pk=saga_id)


def delivered(message: canvas.Message) -> canvas.Message:
    return canvas.received(message.headers, orjson.loads(message.body))


@pytest.mark.parametrize(
    "quoted", ["\x00", HALF_A_PAIR, "\u202e\x9b\n", "x" * 10**6], ids=lambda text: ascii(text)[:20]
)
def test_a_saga_hears_of_any_error_with_its_cause_and_retries_with_backoff(quoted: str, sent) -> None:
    before = datetime.now(UTC)
    saga = heard_of(start(before), GatewayBroken(f"the gateway says {quoted}"))

    assert (saga.phase, saga.in_flight) == ("running", False)
    assert saga.due_at
    assert saga.due_at > before
    detail = SagaLogEntry.objects.filter(saga_id=saga.pk).latest("sequence").detail
    assert detail["class"] == "GatewayBroken"
    assert detail["message"].startswith("the gateway says ")
    assert detail["message"].isprintable()
    assert len(detail["message"]) <= 500


@pytest.mark.parametrize("fact", ["\x00", HALF_A_PAIR, float("nan"), 10**30, {"\x00": [HALF_A_PAIR]}], ids=ascii)
def test_a_saga_hears_of_any_refusal_and_compensates(fact: object, sent) -> None:
    refusal = CardDeclined(quoted=fact).as_json()
    saga = heard_of(start(), Refused(refusal))

    assert saga.phase == "compensating"
    assert (saga.failure or {})["code"] == "card_declined"


def test_what_is_not_written_down_for_a_bad_fact_is_so_for_that_saga_alone(sent) -> None:
    odd, others = start(), [start() for _ in range(5)]
    bad = SagaEvent(odd, failed("503"), {"authorisation_id": "\x00"})
    outcomes = tasks._apply([*(SagaEvent(each, failed("503")) for each in others[:3]), bad,
                              *(SagaEvent(each, failed("503")) for each in others[3:])])  # fmt: skip

    assert [type(each) for each in outcomes if isinstance(each, Exception)] == [DataError]
    assert SagaInstance.objects.filter(pk__in=others, in_flight=False).count() == 5
    saga = SagaInstance.objects.get(pk=odd)
    assert (saga.in_flight, saga.due_at) == (True, NOW + settings.PRESUMED_LOST_AFTER)  # recovery looks at it then
