"""Ledger rows say what the model says they say."""

import pytest
from uuid_utils.compat import uuid7

from inventory.models import Ledger
from inventory.services import receive_stock
from inventory.tasks import participant as inventory
from orchestration.contracts.codec import encode
from orchestration.contracts.inventory import release_stock, reserve_stock
from orchestration.contracts.payments import authorise_payment
from orchestration.contracts.values import Line
from orchestration.participant import local_steps
from orchestration.participant.encryption import encrypt
from orchestration.participant.ledger_store import Call
from orchestration.testing import step_runner
from payments.gateways.port import GatewayTimeout

pytestmark = pytest.mark.django_db(transaction=True, databases=["inventory", "payments", "gateway"])


def test_the_row_keeps_the_token_of_the_message_that_wrote_it_last():
    receive_stock(units_by_sku={"MUG": 10})
    saga_id = uuid7()
    known = {"saga_id": str(saga_id), "order_id": str(uuid7()), "lines": encode((Line("MUG", 1, 100),))}
    step_runner.act(inventory, reserve_stock, [Call(saga_id, "reserve_stock", token=1, known=known)])
    step_runner.undo(inventory, release_stock, [Call(saga_id, "reserve_stock", token=5, known=known)])

    assert Ledger.objects.get().token == 5


def test_a_bar_does_not_hold_over_a_step_that_has_started_outside(payments):
    """Nobody has such a pivot today; nothing forbids one either, and its bar would let goods go and money be taken."""
    saga_id = uuid7()
    known = {
        "saga_id": str(saga_id),
        "order_id": str(uuid7()),
        "total_minor": 100,
        "currency": "GBP",
        "payment_method": encrypt("tok_timeout_after"),
    }
    asked = Call(saga_id, "authorise_payment", token=1, known=known)
    with pytest.raises(GatewayTimeout):
        step_runner.act(payments, authorise_payment, [asked])

    with pytest.raises(local_steps.StillOpen):
        step_runner.bar(payments, [asked])
