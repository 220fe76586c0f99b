"""Messages carried out in batches: who is poisoned, refused, barred or doubled falls out alone; the rest goes on."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError
from uuid_utils.compat import uuid7

from inventory.models import Ledger, Reservation, Stock
from inventory.services import receive_stock
from inventory.tasks import participant as inventory
from orchestration.contracts.codec import Malformed, encode
from orchestration.contracts.inventory import release_stock, reserve_stock
from orchestration.contracts.payments import authorise_payment, refund_payment
from orchestration.contracts.values import Line
from orchestration.execution.results import Ending
from orchestration.participant import local_steps
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Barred, Refused
from orchestration.testing import step_runner
from orchestration.testing.step_runner import bar, run
from payments.models import Ledger as PaymentLedger
from payments.models import Payment
from tests.integration.participant.unknown_payments import call as asked_of

pytestmark = pytest.mark.django_db(transaction=True, databases=["inventory", "payments", "gateway"])


@pytest.fixture(autouse=True)
def ten_mugs():
    receive_stock(units_by_sku={"MUG": 10})


def reserving(quantity: int = 1, sku: str = "MUG") -> Call:
    saga_id = uuid7()
    known = {"saga_id": str(saga_id), "order_id": str(uuid7()), "lines": encode((Line(sku, quantity, 100),))}
    return Call(saga_id, "reserve_stock", token=1, known=known)


def kinds(endings: list[Ending]) -> list[str]:
    return [type(ending.outcome).__name__ for ending in endings]


def poisoned(call: Call) -> Call:
    return replace(call, known={**call.known, "lines": "poison"})


@pytest.mark.parametrize("answer", ["done", 1, [1]])
def test_an_answer_that_is_no_contract_value_fails_its_step(answer):
    careless = replace(inventory, commands={**inventory.commands, reserve_stock: lambda _: answer})
    [ending] = run(careless, reserve_stock.name, [reserving()])

    assert isinstance(ending.error, TypeError)
    assert not Ledger.objects.exists()


def test_a_poisoned_a_refused_a_barred_and_a_doubled_member_fall_out_alone():
    barred, doubled = reserving(), reserving(2)
    step_runner.undo(inventory, release_stock, [barred])
    batch = [
        reserving(),
        poisoned(reserving()),
        reserving(99),
        barred,
        doubled,
        doubled,
        reserving(1, "NO-SUCH"),
        reserving(),
    ]

    endings = run(inventory, reserve_stock.name, batch)

    assert kinds(endings) == ["Done", "Malformed", "Refused", "Barred", "Done", "Done", "Refused", "Done"]
    assert (Stock.objects.get(sku="MUG").reserved, Reservation.objects.count()) == (4, 3)
    assert Counter(Ledger.objects.values_list("status", flat=True)) == {"done": 3, "refused": 2, "barred": 1}


def test_a_batch_that_comes_again_changes_nothing():
    batch = [reserving(), reserving(99), reserving(2)]
    once = run(inventory, reserve_stock.name, batch)

    again = run(inventory, reserve_stock.name, [*batch, reserving(3)])

    assert kinds(again) == [*kinds(once), "Done"]
    assert Stock.objects.get(sku="MUG").reserved == 6


def test_compensations_of_a_batch_reverse_what_was_done_and_bar_the_rest():
    done, undone, never = reserving(2), reserving(3), reserving()
    run(inventory, reserve_stock.name, [done, undone])
    run(inventory, release_stock.name, [undone])

    endings = run(inventory, release_stock.name, [done, undone, never, never])

    assert kinds(endings) == ["Done"] * 4
    assert Stock.objects.get(sku="MUG").reserved == 0
    assert Counter(Ledger.objects.values_list("status", flat=True)) == {"undone": 2, "barred": 1}


def test_bars_of_a_batch_say_which_hold():
    done, fresh = reserving(), reserving()
    run(inventory, reserve_stock.name, [done])

    assert bar(inventory, [done, fresh]) == [False, True]


def test_without_its_database_a_batch_fails_once_and_not_member_by_member(monkeypatch):
    tried = []

    def away(*_: Any) -> None:
        tried.append(1)
        raise OperationalError("gone")

    monkeypatch.setattr(local_steps, "act", away)

    assert kinds(run(inventory, reserve_stock.name, [reserving() for _ in range(8)])) == ["OperationalError"] * 8
    assert len(tried) == 1


def test_outside_too_each_member_falls_out_alone(payments):
    held, declined, silent = asked_of("tok_ok"), asked_of("tok_declined"), asked_of("tok_fail_1")
    barred, doubled = asked_of("tok_ok"), asked_of("tok_ok")
    step_runner.undo(payments, refund_payment, [barred])
    poison = replace(asked_of("tok_ok"), known={"saga_id": "x"})
    batch = [held, declined, silent, barred, doubled, doubled, poison]

    endings = run(payments, authorise_payment.name, batch)

    assert kinds(endings) == ["Done", "Refused", "GatewayBroken", "Barred", "Done", "Done", "Malformed"]
    assert set(Payment.objects.values_list("saga_id", flat=True)) == {held.saga_id, doubled.saga_id}
    assert Counter(PaymentLedger.objects.values_list("status", flat=True)) == {
        "done": 2,
        "refused": 1,
        "started": 1,
        "barred": 1,
    }


def test_outside_a_batch_is_reversed_together(payments):
    batch = [asked_of("tok_ok") for _ in range(3)]
    run(payments, authorise_payment.name, batch)

    endings = run(payments, refund_payment.name, [*batch, asked_of("tok_ok")])

    assert kinds(endings) == ["Done"] * 4
    assert set(Payment.objects.values_list("status", flat=True)) == {"voided"}


def test_one_whose_record_fails_does_not_keep_the_others_from_theirs(payments):
    batch = [asked_of("tok_ok") for _ in range(4)]
    taken = batch[2]
    Payment.objects.create(
        saga_id=taken.saga_id,
        order_id=uuid7(),
        amount_minor=1,
        currency="GBP",
        status="authorised",
        authorisation_id="x",
    )

    endings = run(payments, authorise_payment.name, batch)

    assert kinds(endings) == ["Done", "Done", "IntegrityError", "Done"]
    assert PaymentLedger.objects.get(saga_id=taken.saga_id).status == "started"


def test_malformed_is_what_nobody_can_read():
    [ending] = run(inventory, reserve_stock.name, [poisoned(reserving())])
    assert isinstance(ending.outcome, Malformed)
    assert not isinstance(ending.outcome, Refused | Barred)
