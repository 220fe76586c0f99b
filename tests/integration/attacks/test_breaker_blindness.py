"""A breaker is not talked out of a gateway's illness by reads that work while every write fails."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from orchestration.contracts.payments import authorise_payment
from orchestration.participant.breaker import BreakerOpen
from orchestration.participant.encryption import encrypt
from orchestration.participant.ledger_store import Call
from orchestration.testing import step_runner
from payments.gateways.port import GatewayBroken
from tests.support.external import replaced

pytestmark = pytest.mark.django_db(transaction=True, databases=["payments", "gateway"])


def call() -> Call:
    saga_id = uuid4()
    known = {
        "saga_id": str(saga_id),
        "order_id": str(uuid4()),
        "total_minor": 1998,
        "currency": "GBP",
        "payment_method": encrypt("tok_ok"),
    }
    return Call(UUID(str(saga_id)), "authorise_payment", token=1, known=known)


def test_writes_that_keep_failing_open_the_breaker_although_reads_work(payments):
    writes = []

    def broken_write(request, keys):
        writes.append(keys)
        raise GatewayBroken("503")

    work = payments.commands[authorise_payment]
    sick = replace(payments, commands={authorise_payment: replaced(work, call=broken_write)})
    asked = call()
    for _ in range(3):
        with pytest.raises(GatewayBroken):
            step_runner.act(sick, authorise_payment, [asked])

    with pytest.raises(BreakerOpen):
        step_runner.act(sick, authorise_payment, [asked])
    assert len(writes) == 3
