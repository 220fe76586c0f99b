"""After the other side forgot our key, a definite answer it can still give by reading is used."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from orchestration.contracts.codec import encode
from orchestration.contracts.payments import authorise_payment, capture_payment, refund_payment
from orchestration.contracts.shipping import cancel_shipment, schedule_shipment
from orchestration.contracts.values import Address, Line
from orchestration.participant.encryption import encrypt
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Done
from orchestration.testing import step_runner
from payments.gateways.port import GatewayBroken
from payments.gateways.sandbox.models import Operation as GatewayOperation
from payments.models import Ledger as PaymentsLedger
from shipping.carriers.port import CarrierBroken
from shipping.carriers.sandbox.models import Operation as CarrierOperation
from shipping.models import Ledger as ShippingLedger
from tests.support.external import replaced

pytestmark = pytest.mark.django_db(transaction=True, databases=["payments", "gateway", "shipping", "carrier"])


class DatabaseGone(Exception):
    """The result could not be written down."""


def call(step: str, facts: dict) -> Call:
    return Call(UUID(facts["saga_id"]), step, token=1, known=facts)


def payment_facts(token: str) -> dict:
    return {
        "saga_id": str(uuid4()),
        "order_id": str(uuid4()),
        "total_minor": 1998,
        "currency": "GBP",
        "payment_method": encrypt(token),
    }


def a_weekend_passes(ledger) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=60)
    ledger.objects.update(created_at=long_ago, changed_at=long_ago)


def gateway_kinds() -> list[str]:
    return list(GatewayOperation.objects.order_by("created_at").values_list("kind", flat=True))


def test_a_void_that_failed_on_friday_can_be_resumed_on_monday(payments):
    facts = payment_facts("tok_void_fail_1")
    step_runner.act(payments, authorise_payment, [call("authorise_payment", facts)])
    with pytest.raises(GatewayBroken):
        step_runner.undo(payments, refund_payment, [call("authorise_payment", facts)])
    a_weekend_passes(PaymentsLedger)

    step_runner.undo(payments, refund_payment, [call("authorise_payment", facts)])

    assert gateway_kinds() == ["authorise", "void"]


def test_a_hold_whose_answer_was_never_written_down_is_found_and_voided_on_monday(payments):
    facts = payment_facts("tok_ok")

    def gone(request, reply):
        raise DatabaseGone

    work = payments.commands[authorise_payment]
    crashing = replace(payments, commands={**payments.commands, authorise_payment: replaced(work, record=gone)})
    with pytest.raises(DatabaseGone):
        step_runner.act(crashing, authorise_payment, [call("authorise_payment", facts)])
    a_weekend_passes(PaymentsLedger)

    step_runner.undo(payments, refund_payment, [call("authorise_payment", facts)])

    assert gateway_kinds() == ["authorise", "void"]


def test_a_capture_that_failed_on_friday_can_be_resumed_on_monday(payments):
    facts = payment_facts("tok_capture_fail_1")
    [authorised] = step_runner.act(payments, authorise_payment, [call("authorise_payment", facts)])
    facts |= authorised.answer
    with pytest.raises(GatewayBroken):
        step_runner.act(payments, capture_payment, [call("capture_payment", facts)])
    a_weekend_passes(PaymentsLedger)

    [outcome] = step_runner.act(payments, capture_payment, [call("capture_payment", facts)])

    assert isinstance(outcome, Done)
    assert gateway_kinds() == ["authorise", "capture"]


def test_a_cancellation_that_failed_on_friday_can_be_resumed_on_monday(shipping):
    address = Address("A. Buyer", "1 High St", "Leeds", "LS1 1AA", "GB", "carrier_cancel_fail_1")
    facts = {
        "saga_id": str(uuid4()),
        "order_id": str(uuid4()),
        "lines": encode((Line("MUG", 1, 100),)),
        "shipping_address": encode(address),
    }
    step_runner.act(shipping, schedule_shipment, [call("schedule_shipment", facts)])
    with pytest.raises(CarrierBroken):
        step_runner.undo(shipping, cancel_shipment, [call("schedule_shipment", facts)])
    a_weekend_passes(ShippingLedger)

    step_runner.undo(shipping, cancel_shipment, [call("schedule_shipment", facts)])

    assert sorted(CarrierOperation.objects.values_list("kind", flat=True)) == ["book", "cancel"]
