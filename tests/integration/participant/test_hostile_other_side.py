"""What gateway and carrier say cannot be stored or sent: only that saga is affected, and a refusal stays a refusal."""

import json
from typing import Any

import orjson
import pytest
from django.db import DataError

from orchestration.contracts.payments import authorise_payment, refund_payment
from orchestration.participant.executor import failure_report
from orchestration.participant.external import Keys
from orchestration.participant.outcomes import Refused
from orchestration.participant.participant import Participant
from orchestration.testing.step_runner import run
from payments import services
from payments.gateways.port import CardDeclined, GatewayPayment, PaymentStatus
from payments.models import Ledger
from tests.integration.participant.test_batches_of_calls import kinds
from tests.integration.participant.unknown_payments import call as asked_of
from tests.integration.participant.unknown_payments import having

pytestmark = pytest.mark.django_db(transaction=True, databases=["payments", "gateway"])

HALF_A_PAIR = json.loads('"\\ud83d"')
FACTS: dict[str, Any] = {
    "text": "Declined\x00",
    "half": HALF_A_PAIR,
    "nested": {"\x00": ["\x00", {HALF_A_PAIR: float("nan")}]},
    "most": json.loads("1e999"),
    "large": 10**40,
    "mark": CardDeclined,
}


def saying(payments: Participant, command: Any, odd: Any, say: Any) -> Participant:
    """The participant, whose call for this saga does `say`, and for others as ever."""
    work: Any = payments.commands[command]

    def call(request: Any, keys: Keys) -> Any:
        return say() if request.saga_id == odd.saga_id else work.call(request, keys)

    return having(payments, command, call=call)


def refuse() -> None:
    raise CardDeclined(**FACTS)


def test_a_refusal_with_facts_that_nothing_can_carry_stays_a_refusal(payments: Participant) -> None:
    odd, fine = asked_of("tok_ok"), asked_of("tok_ok")
    payments = saying(payments, authorise_payment, odd, refuse)

    ending, done = run(payments, authorise_payment.name, [odd, fine])
    repeated, _ = run(payments, authorise_payment.name, [odd, fine])

    refused, again = ending.outcome, repeated.outcome
    assert isinstance(refused, Refused)
    assert isinstance(again, Refused)
    assert kinds([done]) == ["Done"]
    row = Ledger.objects.get(saga_id=odd.saga_id)
    assert (row.status, row.refusal) == ("refused", refused.refusal)
    assert again.refusal == refused.refusal
    assert refused.refusal["code"] == "card_declined"
    assert refused.refusal["facts"] == {
        "text": r"Declined\x00",
        "half": r"\ud83d",
        "nested": {r"\x00": [r"\x00", {r"\ud83d": "nan"}]},
        "most": "inf",
        "large": str(10**40),
        "mark": str(CardDeclined),
    }
    orjson.dumps(refused.refusal)


def test_a_compensation_that_is_refused_so_fails_with_a_cause_that_can_be_reported(payments: Participant) -> None:
    odd, fine = asked_of("tok_ok"), asked_of("tok_ok")
    run(payments, authorise_payment.name, [odd, fine])

    failed, undone = run(saying(payments, refund_payment, odd, refuse), refund_payment.name, [odd, fine])

    assert kinds([failed, undone]) == ["CardDeclined", "Done"]
    assert failed.error
    report = failure_report(failed.error, {})
    assert "card_declined" in report["error"]["message"]
    assert orjson.loads(orjson.dumps(report))["error"]["message"].isprintable()


@pytest.mark.parametrize(("suffix", "error"), [("\x00", DataError), (HALF_A_PAIR, TypeError)], ids=ascii)
def test_an_id_that_cannot_be_stored_fails_alone_with_a_cause_that_can_be_reported(
    suffix: str, error: type[Exception], payments: Participant
) -> None:
    odd, *others = [asked_of("tok_ok") for _ in range(4)]
    reply = GatewayPayment(f"auth{suffix}", PaymentStatus.AUTHORISED)
    payments = saying(payments, authorise_payment, odd, lambda: reply)

    failed, *done = run(payments, authorise_payment.name, [odd, *others])

    assert kinds(done) == ["Done"] * 3
    assert isinstance(failed.error, error), failed
    assert orjson.loads(orjson.dumps(failure_report(failed.error, {})))["error"]["message"].isprintable()
    assert Ledger.objects.get(saga_id=odd.saga_id).status == "started"
    assert services.authorisation_id_of(odd.saga_id) is None
