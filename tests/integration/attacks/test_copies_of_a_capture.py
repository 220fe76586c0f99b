"""Two copies of one capture, both past the gateway: both tell the same answer."""

from contextlib import suppress
from dataclasses import replace
from threading import Barrier, BrokenBarrierError
from uuid import uuid4

import pytest

from orchestration.contracts.payments import authorise_payment, capture_payment
from orchestration.participant.encryption import encrypt
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Done
from orchestration.testing import step_runner
from payments.gateways.sandbox.models import Operation
from tests.support.external import replaced
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True, databases=["payments", "gateway"])


def test_both_copies_of_a_capture_that_meet_at_the_gateway_are_done(payments):
    saga_id = uuid4()
    known = {
        "saga_id": str(saga_id),
        "order_id": str(uuid4()),
        "total_minor": 1998,
        "currency": "GBP",
        "payment_method": encrypt("tok_ok"),
    }
    [authorised] = step_runner.act(payments, authorise_payment, [Call(saga_id, "authorise_payment", 1, known)])
    asked = Call(saga_id, "capture_payment", token=1, known=known | authorised.answer)
    work, both_there = payments.commands[capture_payment], Barrier(2)

    def meet_then_capture(request, keys):
        with suppress(BrokenBarrierError):
            both_there.wait(5)
        return work.call(request, keys)

    meeting = replace(payments, commands={**payments.commands, capture_payment: replaced(work, call=meet_then_capture)})
    outcomes = at_once(2, lambda _: step_runner.act(meeting, capture_payment, [asked])[0])

    assert Operation.objects.filter(kind="capture").count() == 1
    assert [type(outcome) for outcome in outcomes] == [Done, Done]
