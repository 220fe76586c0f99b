"""What a replay reports."""

from dataclasses import replace
from decimal import Decimal

from deploy.replay.placers import Outcome, Result
from deploy.replay.plan import CancellationInvoice, Invoice, Plan, make_plan
from deploy.replay.report import Report
from deploy.replay.rows import read_rows
from deploy.replay.run import Replayed

FILE = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,MUG,MUG,2,,1.50,17850,United Kingdom
1,MUG,MUG,1,,1.50,17850,United Kingdom
2,CUP,CUP,1,,1.00,17850,United Kingdom
C1,MUG,MUG,-2,,1.50,17850,United Kingdom
C3,MUG,MUG,-2,,1.50,17850,United Kingdom
4,PAD,PAD,10,,0.001,,United Kingdom
"""
PLAN = make_plan(read_rows(FILE.splitlines()), {})


def report(*outcomes: Outcome, plan: Plan = PLAN) -> Report:
    given_back = Outcome(Result.GIVEN_BACK, -300)
    invoices: list[Invoice | CancellationInvoice] = [*plan.invoices, *plan.cancellations]
    outcomes = outcomes if len(outcomes) == len(invoices) else (*outcomes, given_back)
    replayed = [Replayed(invoice, outcome) for invoice, outcome in zip(invoices, outcomes, strict=True)]
    return Report(plan, replayed, 1.5)


def test_every_order_row_and_penny_is_reported() -> None:
    reported = report(Outcome(Result.PLACED, 450), Outcome(Result.REFUSED, code="card_declined")).as_json()
    assert reported["invoices"] == {
        **{"read": 5, "placed": 1, "given_back": 1, "refused": 1, "undecided": 0},
        "nothing_to_order": 2,
    }
    assert reported["lines"] == {"read": 6, "ordered": 3, "given_back": 1, "skipped": 2}
    assert reported["total_minor"] == {
        **{"file": -49, "placed": 450, "given_back": -300, "refused": 100, "undecided": 0},
        "skipped": -299,
    }
    assert reported["agrees"]
    assert reported["refused"] == [{"invoice": "2", "code": "card_declined", "lines": 1, "total_minor": 100}]
    assert [(item["row"], item["reason"]) for item in reported["skipped"]] == [
        (6, "cancellation_names_no_order"),
        (7, "price_has_a_fraction_of_a_penny"),
    ]


def test_an_order_that_costs_something_else_is_named() -> None:
    differing = report(Outcome(Result.PLACED, 449), Outcome(Result.PLACED, 100))
    assert not differing.agrees
    assert differing.as_json()["differing"] == ["1"]
    assert "TOTALS DIFFER: invoice 1" in list(differing.as_table())


def test_a_cancellation_that_gives_back_something_else_is_named() -> None:
    differing = report(Outcome(Result.PLACED, 450), Outcome(Result.PLACED, 100), Outcome(Result.GIVEN_BACK, -299))
    assert not differing.agrees
    assert differing.as_json()["differing"] == ["C1"]


def test_a_refused_cancellation_counts_below_zero() -> None:
    refused = report(
        Outcome(Result.PLACED, 450), Outcome(Result.PLACED, 100), Outcome(Result.REFUSED, code="order_busy")
    )
    assert refused.agrees
    assert refused.as_json()["total_minor"]["refused"] == -300


def test_two_wrong_orders_do_not_make_a_right_total() -> None:
    assert not report(Outcome(Result.PLACED, 451), Outcome(Result.PLACED, 99)).agrees


def test_pence_that_are_nowhere_are_noticed() -> None:
    lost = replace(PLAN, total_pence=PLAN.total_pence + Decimal(1))
    assert not report(Outcome(Result.PLACED, 450), Outcome(Result.PLACED, 100), plan=lost).agrees


def test_the_table_names_reasons_and_codes() -> None:
    table = "\n".join(report(Outcome(Result.PLACED, 450), Outcome(Result.REFUSED, code="card_declined")).as_table())
    assert "card_declined" in table
    assert "cancellations that name no order of the file: C3" in table
    assert "totals agree" in table
