"""Store credit at payments: granted, spent, returned and transferred, each once."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connections

from orchestration.contracts.codec import encode
from orchestration.contracts.command import Action, Compensation
from orchestration.contracts.store_credit import (
    SpendCredit,
    TransferRequested,
    approve_transfer,
    close_transfer,
    credit_wallet,
    debit_wallet,
    drop_credit,
    receive_credit,
    return_credit,
    return_debit,
    spend_credit,
    wallet_id,
)
from orchestration.contracts.values import LARGEST_AMOUNT_MINOR
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Barred, Done, Queued, Refused
from orchestration.testing import step_runner
from payments import credit_audit, wallets
from payments.models import CreditPayment, Wallet, WalletMovement
from payments.tasks import participant
from tests.support.wallets import balances, granted, movements, spending, transfer

pytestmark = pytest.mark.django_db(transaction=True, databases=["payments"])


def call(request: SpendCredit) -> Call:
    return Call(request.saga_id, spend_credit.step, token=1, known=encode(request))


def spend(*requests: SpendCredit) -> list[Any]:
    return step_runner.act(participant, spend_credit, [call(each) for each in requests])


def undo(request: SpendCredit) -> None:
    step_runner.undo(participant, return_credit, [call(request)])


class Transfer:
    """One transfer, step by step."""

    def __init__(self, request: TransferRequested) -> None:
        self.saga_id, self.known = uuid4(), encode(request)

    def act(self, *actions: Action) -> list[Any]:
        return [step_runner.act(participant, each, [self._call(each)])[0] for each in actions]

    def undo(self, *compensations: Compensation) -> None:
        for each in compensations:
            step_runner.undo(participant, each, [self._call(each)])

    def _call(self, command: Action | Compensation) -> Call:
        return Call(self.saga_id, command.step, token=1, known={**self.known, "saga_id": str(self.saga_id)})


def faults() -> list[str]:
    return [fault for checked in credit_audit.check_wallets() for fault in checked.faults]


def test_credit_is_granted_once_for_each_grant() -> None:
    asked = {"grant_id": uuid4(), "customer_id": "7", "currency": "GBP", "by": "kim", "reason": "a gift"}
    for _ in range(2):
        wallets.grant_credit(amount_minor=500, **asked)  # type: ignore[arg-type]
    assert (balances(), movements()) == ({"7": 500}, [("granted", 500)])
    assert wallets.credit_of("7") == {"GBP": 500}
    assert wallets.credit_of("8") == {}


def test_credit_is_spent_once_for_each_saga() -> None:
    granted("7", 500)
    request = spending("7", 200)
    assert spend(request, request) == [Done({}), Done({})]
    assert spend(request) == [Done({})]
    assert (balances(), movements()) == ({"7": 300}, [("granted", 500), ("spent", -200)])
    assert CreditPayment.objects.get().amount_minor == 200


@pytest.mark.parametrize("amount_minor", [501, LARGEST_AMOUNT_MINOR])
def test_more_than_the_balance_is_refused_and_changes_nothing(amount_minor: int) -> None:
    granted("7", 500)
    [outcome] = spend(spending("7", amount_minor))
    assert isinstance(outcome, Refused)
    assert (outcome.refusal["code"], balances(), CreditPayment.objects.count()) == ("insufficient", {"7": 500}, 0)


def test_customer_without_a_wallet_has_no_credit() -> None:
    [outcome] = spend(spending("7", 1))
    assert isinstance(outcome, Refused)


def test_returned_credit_comes_back_once() -> None:
    granted("7", 500)
    request = spending("7", 200)
    spend(request)
    undo(request)
    undo(request)
    assert (balances(), movements()[1:]) == ({"7": 500}, [("spent", -200), ("returned", 200)])
    assert CreditPayment.objects.get().state == "returned"


def test_compensation_that_comes_first_bars_the_spending() -> None:
    granted("7", 500)
    request = spending("7", 200)
    undo(request)
    assert isinstance(spend(request)[0], Barred)
    assert balances() == {"7": 500}


def test_last_penny_is_spent_once_by_many_threads() -> None:
    granted("7", 50)

    def attempt(_: int) -> str:
        try:
            return type(spend(spending("7", 7))[0]).__name__
        finally:
            connections["payments"].close()

    with ThreadPoolExecutor(8) as pool:
        outcomes = [*pool.map(attempt, range(20))]
    assert (outcomes.count("Done"), outcomes.count("Refused"), balances()) == (7, 13, {"7": 1})
    assert faults() == []


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"balance_minor": -1}, "wallet_not_overdrawn"),
        ({"incoming_minor": -1}, "wallet_incoming_not_negative"),
        ({"balance_minor": LARGEST_AMOUNT_MINOR, "incoming_minor": 1}, "wallet_exact_in_json"),
    ],
)
def test_database_refuses_an_impossible_wallet(values: dict[str, int], constraint: str) -> None:
    granted("7", 1)
    with pytest.raises(IntegrityError, match=constraint):
        Wallet.objects.update(**values)


def test_database_refuses_more_credit_back_than_was_paid() -> None:
    granted("7", 500)
    spend(spending("7", 200))
    with pytest.raises(IntegrityError, match="credit_payment_not_over_refunded"):
        CreditPayment.objects.update(refunded_minor=201)


def test_credit_is_transferred() -> None:
    granted("7", 500)
    moving = Transfer(transfer("7", "8", 200))
    moving.act(debit_wallet, credit_wallet, approve_transfer)
    assert balances() == {"7": 300, "8": 0}
    assert Wallet.objects.get(customer_id="8").incoming_minor == 200
    assert moving.act(receive_credit, receive_credit, close_transfer) == [Done({})] * 3
    assert balances() == {"7": 300, "8": 200}
    assert movements()[1:] == [("transferred_out", -200), ("transferred_in", 200)]
    assert (Wallet.objects.get(customer_id="8").incoming_minor, faults()) == (0, [])


def test_transfer_that_is_undone_moves_nothing() -> None:
    granted("7", 500)
    moving = Transfer(transfer("7", "8", 200))
    moving.act(debit_wallet, credit_wallet)
    moving.undo(drop_credit, return_debit, drop_credit, return_debit)
    assert balances() == {"7": 500, "8": 0}
    assert (Wallet.objects.get(customer_id="8").incoming_minor, faults()) == (0, [])


@pytest.mark.parametrize(("to", "amount_minor", "code"), [("8", 501, "insufficient"), ("7", 1, "same_wallet")])
def test_transfer_that_cannot_be_made_is_refused(to: str, amount_minor: int, code: str) -> None:
    granted("7", 500)
    [outcome] = Transfer(transfer("7", to, amount_minor)).act(debit_wallet)
    assert isinstance(outcome, Refused)
    assert (outcome.refusal["code"], balances()) == (code, {"7": 500})


def test_full_wallet_receives_no_transfer() -> None:
    granted("7", 5)
    granted("8", LARGEST_AMOUNT_MINOR - 4)
    moving = Transfer(transfer("7", "8", 5))
    assert isinstance(moving.act(debit_wallet)[0], Done)
    [outcome] = moving.act(credit_wallet)
    assert isinstance(outcome, Refused)
    assert outcome.refusal["code"] == "wallet_full"


def test_wallet_takes_part_in_one_transfer_at_a_time() -> None:
    granted("7", 500)
    granted("8", 500)
    there, back = Transfer(transfer("7", "8", 1)), Transfer(transfer("8", "7", 1))
    assert isinstance(there.act(debit_wallet)[0], Done)
    assert isinstance(back.act(debit_wallet)[0], Done)
    assert isinstance(there.act(credit_wallet)[0], Queued)
    assert isinstance(back.act(credit_wallet)[0], Queued)
    back.undo(drop_credit, return_debit)
    assert there.act(credit_wallet, approve_transfer, receive_credit, close_transfer) == [Done({})] * 4
    assert balances() == {"7": 499, "8": 501}


def test_credit_can_be_spent_while_a_transfer_is_under_way() -> None:
    granted("7", 500)
    Transfer(transfer("7", "8", 1)).act(debit_wallet)
    assert spend(spending("7", 499)) == [Done({})]


@pytest.mark.parametrize("seed", range(20))
def test_sum_of_credit_is_what_was_granted_less_what_is_spent(seed: int) -> None:
    """Test random spends, returns and transfers of three customers, some of which stop half-way and are undone."""
    chance, customers, given = random.Random(seed), ("7", "8", "9"), 0
    for customer in customers:
        given += (amount := chance.randint(1, 500))
        granted(customer, amount)
    spent: list[SpendCredit] = []
    for _ in range(25):
        amount = chance.randint(1, 300)
        match chance.choice(["spend", "return", "transfer"]):
            case "spend":
                request = spending(chance.choice(customers), amount)
                spent += [request] if isinstance(spend(request)[0], Done) else []
            case "return" if spent:
                undo(spent.pop(chance.randrange(len(spent))))
            case _:
                source, target = chance.sample(customers, 2)
                _transfer_or_undo(Transfer(transfer(source, target, amount)), chance)
    assert sum(balances().values()) == given - sum(request.credit_minor for request in spent)
    assert min(balances().values()) >= 0
    assert faults() == []


def _transfer_or_undo(moving: Transfer, chance: random.Random) -> None:
    for action in (debit_wallet, credit_wallet):
        if not isinstance(moving.act(action)[0], Done) or chance.random() < 0.2:
            moving.undo(drop_credit, return_debit)
            return
    moving.act(approve_transfer, receive_credit, close_transfer)


def test_audit_finds_a_balance_without_movements() -> None:
    granted("7", 500)
    Wallet.objects.update(balance_minor=501)
    assert faults() == ["The wallet has 501 minor units, its movements 500."]


def test_movement_with_the_wrong_sign_is_refused() -> None:
    granted("7", 500)
    wrong = WalletMovement(wallet_id=wallet_id("7", "GBP"), kind="spent", amount_minor=1, saga_id=uuid4(), step="x")
    with pytest.raises(IntegrityError, match="wallet_movement_has_the_sign_of_its_kind"):
        wrong.save()
