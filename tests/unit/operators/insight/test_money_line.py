"""A saga's money in one line: what books and ledger rows come to."""

import pytest

from orchestration.operators.insight.money import money_line
from orchestration.participant.ledger import LedgerRow
from orchestration.participant.money import Money
from payments.models import Ledger
from payments.tasks import participant

ASKED = {"total_minor": 1250, "currency": "GBP"}


def money(**amounts: int) -> Money:
    stood = {"authorised_minor": 1250, "captured_minor": 0, "voided_minor": 0, "refunded_minor": 0} | amounts
    return Money(**stood, currency="GBP", reference="auth_7")


def said(money: Money | None, *rows: LedgerRow) -> str:
    assert participant.money is not None
    return str(money_line(money, participant.money, rows, ASKED))


def row(step: str, status: str) -> LedgerRow:
    return Ledger(step=step, status=status, request={"refund_minor": 1998})


@pytest.mark.parametrize(
    ("stands", "line"),
    [
        (money(), "12.50 GBP authorised; out of pocket now: 0.00 GBP"),
        (
            money(captured_minor=1250),
            "12.50 GBP authorised, 12.50 GBP captured; out of pocket now: 12.50 GBP",
        ),
        (money(voided_minor=1250), "12.50 GBP authorised, 12.50 GBP voided; out of pocket now: 0.00 GBP"),
        (
            money(captured_minor=1250, refunded_minor=1250),
            "12.50 GBP authorised, 12.50 GBP captured, 12.50 GBP refunded; out of pocket now: 0.00 GBP",
        ),
    ],
)
def test_the_line_says_what_the_books_say(stands: Money, line: str) -> None:
    assert said(stands) == line


@pytest.mark.parametrize(
    ("stands", "open_row", "limbo_minor"),
    [
        (None, row("authorise_payment", "started"), 1250),
        (money(), row("capture_payment", "started"), 1250),
        (money(), row("authorise_payment", "undoing"), 1250),
        (money(captured_minor=1250), row("authorise_payment", "undoing"), 1250),
        (money(captured_minor=1250), row("capture_payment", "done"), 0),
        (money(), row("schedule_shipment", "started"), 0),
        (money(captured_minor=1998, requested_minor=1250), row("give_back", "started"), 1250),
    ],
)
def test_what_a_call_of_unknown_outcome_moves_is_in_limbo(
    stands: Money | None, open_row: LedgerRow, limbo_minor: int
) -> None:
    assert participant.money is not None
    line = money_line(stands, participant.money, [open_row], ASKED)
    assert line is not None
    assert line.in_limbo_minor == limbo_minor
    assert ("12.50 GBP in limbo" in str(line)) == bool(limbo_minor)


def test_a_saga_that_has_moved_no_money_has_no_line() -> None:
    assert participant.money is not None
    assert money_line(None, participant.money, [row("authorise_payment", "refused")], ASKED) is None
