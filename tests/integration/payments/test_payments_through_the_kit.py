"""Payments as a participant: its commands run by the kit, with ledger, gateway and breaker."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from orchestration.contracts.payments import authorise_payment, capture_payment, refund_payment
from orchestration.participant.breaker import BreakerOpen
from orchestration.participant.encryption import encrypt
from orchestration.participant.external import ExternalCommand
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Barred, Done, Refused
from orchestration.participant.participant import Participant
from orchestration.testing import step_runner
from payments.gateways.port import GatewayBroken, GatewayTimeout, PaymentStatus
from payments.gateways.sandbox.gateway import SandboxGateway
from payments.gateways.sandbox.models import Kind, Operation
from payments.models import Ledger, Payment
from tests.support.clock import Clock
from tests.support.external import replaced

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["payments", "gateway"]),
    pytest.mark.usefixtures("at_the_gateway"),
]


def known(token: str) -> dict[str, Any]:
    """What the saga knows before its payment, as messages carry it."""
    saga_id, order_id = str(uuid4()), str(uuid4())
    return {
        "saga_id": saga_id,
        "order_id": order_id,
        "total_minor": 1998,
        "currency": "GBP",
        "payment_method": encrypt(token),
    }


def call(facts: dict[str, Any], step: str = "authorise_payment") -> list[Call]:
    return [Call(saga_id=UUID(facts["saga_id"]), step=step, token=1, known=facts)]


def history(step: str = "authorise_payment") -> list[str]:
    return Ledger.objects.get(step=step).history


def kinds() -> list[str]:
    return list(Operation.objects.order_by("created_at").values_list("kind", flat=True))


def test_authorised_and_captured_once_however_often_asked(participant: Participant) -> None:
    facts = known("tok_ok")
    for _ in range(2):
        [authorised] = step_runner.act(participant, authorise_payment, call(facts))
    assert isinstance(authorised, Done)
    facts |= authorised.answer
    for _ in range(2):
        [captured] = step_runner.act(participant, capture_payment, call(facts, "capture_payment"))
    assert isinstance(captured, Done)
    assert kinds() == [Kind.AUTHORISE, Kind.CAPTURE]
    assert history() == history("capture_payment") == [Status.STARTED, Status.DONE]


def test_a_decline_is_refused_word_for_word_again(participant: Participant) -> None:
    facts = known("tok_declined")
    first = step_runner.act(participant, authorise_payment, call(facts))
    assert first == step_runner.act(participant, authorise_payment, call(facts))
    assert isinstance(first[0], Refused)
    assert first[0].refusal["code"] == "card_declined"
    step_runner.undo(participant, refund_payment, call(facts))
    assert history() == [Status.STARTED, Status.REFUSED]


def test_a_timeout_is_asked_after_and_not_done_twice(participant: Participant) -> None:
    facts = known("tok_timeout_after")
    with pytest.raises(GatewayTimeout):
        step_runner.act(participant, authorise_payment, call(facts))
    [outcome] = step_runner.act(participant, authorise_payment, call(facts))
    assert isinstance(outcome, Done)
    assert kinds() == [Kind.AUTHORISE]


@pytest.mark.parametrize("token", ["tok_timeout_before", "tok_timeout_after", "tok_arrives_late_60"])
def test_an_unknown_outcome_is_undone_and_a_late_action_is_barred(
    participant: Participant, gateway: SandboxGateway, clock: Clock, token: str
) -> None:
    facts = known(token)
    with pytest.raises(GatewayTimeout):
        step_runner.act(participant, authorise_payment, call(facts))
    for _ in range(2):
        step_runner.undo(participant, refund_payment, call(facts))
    clock.sleep(60)
    assert step_runner.act(participant, authorise_payment, call(facts)) == [Barred()]
    assert history() == [Status.STARTED, Status.UNDOING, Status.UNDONE]
    assert kinds() == [Kind.AUTHORISE, Kind.VOID]
    row = Payment.objects.get()
    assert row.status == PaymentStatus.VOIDED == gateway.look_up(row.authorisation_id).status


def test_undone_before_it_was_asked_never_reaches_the_gateway(participant: Participant) -> None:
    facts = known("tok_ok")
    step_runner.undo(participant, refund_payment, call(facts))
    assert step_runner.act(participant, authorise_payment, call(facts)) == [Barred()]
    assert kinds() == []


def test_a_refund_interrupted_by_failing_voids_ends_in_one_void(participant: Participant) -> None:
    facts = known("tok_void_fail_2")
    step_runner.act(participant, authorise_payment, call(facts))
    for _ in range(2):
        with pytest.raises(GatewayBroken):
            step_runner.undo(participant, refund_payment, call(facts))
    step_runner.undo(participant, refund_payment, call(facts))
    assert history() == [Status.STARTED, Status.DONE, Status.UNDOING, Status.UNDONE]
    assert kinds() == [Kind.AUTHORISE, Kind.VOID]


def test_an_ailing_gateway_is_left_alone(participant: Participant) -> None:
    for _ in range(3):
        with pytest.raises(GatewayBroken):
            step_runner.act(participant, authorise_payment, call(known("tok_fail_1")))
    with pytest.raises(BreakerOpen):
        step_runner.act(participant, authorise_payment, call(known("tok_ok")))
    assert kinds() == []
    assert Ledger.objects.count() == 3


def test_declines_do_not_make_a_gateway_ill(participant: Participant) -> None:
    for _ in range(4):
        step_runner.act(participant, authorise_payment, call(known("tok_declined")))
    assert isinstance(step_runner.act(participant, authorise_payment, call(known("tok_ok")))[0], Done)


def test_an_action_overtaken_by_its_compensation_is_barred_and_writes_nothing_down(participant: Participant) -> None:
    """The gateway takes its time; meanwhile the saga gives up and the refund is done from beginning to end."""
    facts = known("tok_ok")
    work = participant.commands[authorise_payment]
    assert isinstance(work, ExternalCommand)

    def answer_late(request: Any, keys: Any) -> Any:
        reply = work.call(request, keys)
        step_runner.undo(participant, refund_payment, call(facts))
        return reply

    slow = replace(participant, commands={**participant.commands, authorise_payment: replaced(work, call=answer_late)})

    assert step_runner.act(slow, authorise_payment, call(facts)) == [Barred()]
    assert Payment.objects.get().status == PaymentStatus.VOIDED
    assert kinds() == [Kind.AUTHORISE, Kind.VOID]
