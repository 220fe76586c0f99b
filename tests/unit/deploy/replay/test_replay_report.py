"""What a replay reports."""

from dataclasses import replace
from decimal import Decimal

from deploy.replay.placers import Outcome, Result
from deploy.replay.plan import Plan, make_plan
from deploy.replay.report import Report
from deploy.replay.rows import read_rows
from deploy.replay.run import Replayed

FILE = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,MUG,MUG,2,,1.50,17850,United Kingdom
1,MUG,MUG,1,,1.50,17850,United Kingdom
2,CUP,CUP,1,,1.00,17850,United Kingdom
C3,MUG,MUG,-2,,1.50,17850,United Kingdom
4,PAD,PAD,10,,0.001,,United Kingdom
"""
PLAN = make_plan(read_rows(FILE.splitlines()), {})


def report(*outcomes: Outcome, plan: Plan = PLAN) -> Report:
    replayed = [Replayed(invoice, outcome) for invoice, outcome in zip(plan.invoices, outcomes, strict=True)]
    return Report(plan, replayed, 1.5)


def test_every_order_row_and_penny_is_reported() -> None:
    reported = report(Outcome(Result.PLACED, 450), Outcome(Result.REFUSED, code="card_declined")).as_json()
    assert reported["invoices"] == {"read": 4, "placed": 1, "refused": 1, "undecided": 0, "nothing_to_order": 2}
    assert reported["lines"] == {"read": 5, "ordered": 3, "skipped": 2}
    assert reported["total_minor"] == {"file": 251, "placed": 450, "refused": 100, "undecided": 0, "skipped": -299}
    assert reported["agrees"]
    assert reported["refused"] == [{"invoice": "2", "code": "card_declined", "lines": 1, "total_minor": 100}]
    assert [(item["row"], item["reason"]) for item in reported["skipped"]] == [
        (5, "cancellation_not_yet_supported"),
        (6, "price_has_a_fraction_of_a_penny"),
    ]


def test_an_order_that_costs_something_else_is_named() -> None:
    differing = report(Outcome(Result.PLACED, 449), Outcome(Result.PLACED, 100))
    assert not differing.agrees
    assert differing.as_json()["differing"] == ["1"]
    assert "TOTALS DIFFER: invoice 1" in list(differing.as_table())


def test_two_wrong_orders_do_not_make_a_right_total() -> None:
    assert not report(Outcome(Result.PLACED, 451), Outcome(Result.PLACED, 99)).agrees


def test_pence_that_are_nowhere_are_noticed() -> None:
    lost = replace(PLAN, total_pence=PLAN.total_pence + Decimal(1))
    assert not report(Outcome(Result.PLACED, 450), Outcome(Result.PLACED, 100), plan=lost).agrees


def test_the_table_names_reasons_and_codes() -> None:
    table = "\n".join(report(Outcome(Result.PLACED, 450), Outcome(Result.REFUSED, code="card_declined")).as_table())
    assert "card_declined" in table
    assert "cancellation_not_yet_supported" in table
    assert "totals agree" in table
