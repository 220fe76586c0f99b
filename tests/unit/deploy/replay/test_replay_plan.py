"""Which rows of a dirty file become which orders."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.replay.plan import Reason, make_plan, units_of
from deploy.replay.rows import Row, read_rows
from orchestration.contracts.values import Line

SLICE = Path(__file__).parents[3] / "data" / "online_retail.csv"


def row(**changes: object) -> Row:
    values: dict[str, object] = {
        "number": 2,
        "invoice": "536365",
        "code": "85123A",
        "description": "WHITE HOLDER",
        "quantity": 6,
        "price_pence": Decimal(255),
        "customer": "17850",
        "country": "United Kingdom",
    }
    return Row(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"invoice": "C536379", "quantity": -1}, Reason.NAMES_NO_ORDER),
        ({"invoice": "C536379", "code": "D", "quantity": -1}, Reason.NAMES_NO_ORDER),
        ({"code": "POST"}, Reason.NOT_GOODS),
        ({"code": "m"}, Reason.NOT_GOODS),
        ({"code": "BANK CHARGES"}, Reason.NOT_GOODS),
        ({"quantity": -10}, Reason.NO_QUANTITY),
        ({"quantity": 0}, Reason.NO_QUANTITY),
        ({"quantity": 80_995}, Reason.LARGE_QUANTITY),
        ({"price_pence": Decimal(0)}, Reason.NO_PRICE),
        ({"price_pence": Decimal(-100)}, Reason.NO_PRICE),
        ({"price_pence": Decimal("0.1")}, Reason.FRACTION_OF_A_PENNY),
        ({"country": "European Community"}, Reason.UNKNOWN_COUNTRY),
        ({"quantity": None}, Reason.UNREADABLE),
        ({"price_pence": None}, Reason.UNREADABLE),
        ({"invoice": ""}, Reason.UNREADABLE),
        ({"code": ""}, Reason.UNREADABLE),
        ({"code": "X" * 51}, Reason.UNREADABLE),
    ],
)
def test_a_dirty_row_is_skipped_with_its_reason(changes: dict[str, object], reason: Reason) -> None:
    plan = make_plan([row(**changes)], {})
    assert [item.reason for item in plan.skipped] == [reason]
    assert (plan.invoices, plan.cancellations, plan.articles) == ((), (), ())


def cancelled(**changes: object) -> dict[str, object]:
    return {"invoice": "C536365", "quantity": -6, **changes}


def test_a_cancellation_gives_back_units_of_the_order_that_it_names() -> None:
    rows = [row(), row(code="Z", quantity=2), row(**cancelled(quantity=-4)), row(**cancelled(quantity=-1))]
    [cancellation] = make_plan(rows, {}).cancellations
    assert (cancellation.number, cancellation.order.number, cancellation.is_whole) == ("C536365", "536365", False)
    assert cancellation.lines == (Line("85123A", 4, 255), Line("85123A", 1, 255))
    assert cancellation.total_minor == -5 * 255


def test_a_cancellation_of_all_units_is_whole_also_when_it_comes_before_its_order() -> None:
    plan = make_plan(
        [row(**cancelled(code="Z", quantity=-2)), row(**cancelled()), row(code="Z", quantity=2), row()], {}
    )
    assert [cancellation.is_whole for cancellation in plan.cancellations] == [True]
    assert plan.skipped == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"invoice": "C536366"}, Reason.NAMES_NO_ORDER),
        ({"quantity": -7}, Reason.NOT_ORDERED),
        ({"code": "Z"}, Reason.NOT_ORDERED),
        ({"price_pence": Decimal(254)}, Reason.NOT_ORDERED),
        ({"price_pence": Decimal("255.5")}, Reason.NOT_ORDERED),
        ({"quantity": 6}, Reason.NOT_NEGATIVE),
        ({"quantity": 0}, Reason.NOT_NEGATIVE),
        ({"code": "D"}, Reason.NOT_GOODS),
        ({"quantity": None}, Reason.UNREADABLE),
        ({"price_pence": None}, Reason.UNREADABLE),
    ],
)
def test_a_row_that_its_order_does_not_allow_is_skipped_with_its_reason(
    changes: dict[str, object], reason: Reason
) -> None:
    plan = make_plan([row(), row(**cancelled(**changes))], {})
    assert [item.reason for item in plan.skipped] == [reason]
    assert plan.cancellations == ()


def test_no_more_units_are_given_back_than_were_ordered() -> None:
    plan = make_plan(
        [row(), row(**cancelled(quantity=-4)), row(**cancelled(quantity=-3)), row(**cancelled(quantity=-2))], {}
    )
    assert [line.quantity for line in plan.cancellations[0].lines] == [4, 2]
    assert [item.row.quantity for item in plan.skipped] == [-3]


def test_rows_of_one_invoice_are_one_order() -> None:
    [invoice] = make_plan([row(code="A"), row(code="Z", quantity=2), row(code="POST")], {}).invoices
    assert (invoice.number, invoice.customer, invoice.country) == ("536365", "17850", "GB")
    assert invoice.lines == (Line("A", 6, 255), Line("Z", 2, 255))
    assert invoice.total_minor == 8 * 255


def test_the_same_stock_code_twice_stays_two_lines() -> None:
    plan = make_plan([row(quantity=1), row(quantity=2)], {})
    assert plan.invoices[0].lines == (Line("85123A", 1, 255), Line("85123A", 2, 255))
    assert plan.units_by_sku == {"85123A": 3}


def test_each_further_price_of_a_stock_code_is_a_sku_of_its_own() -> None:
    rows = [row(), row(price_pence=Decimal(305)), row(invoice="2"), row(invoice="2", price_pence=Decimal(95))]
    plan = make_plan(rows, {})
    assert [(article.sku, article.price_minor) for article in plan.articles] == [
        ("85123A", 255),
        ("85123A@3.05", 305),
        ("85123A@0.95", 95),
    ]
    assert [line.sku for line in plan.invoices[1].lines] == ["85123A", "85123A@0.95"]


def test_a_price_the_catalogue_knows_is_left_alone() -> None:
    plan = make_plan([row(), row(price_pence=Decimal(305))], {"85123A": 305})
    assert [(article.sku, article.price_minor) for article in plan.articles] == [("85123A@2.55", 255), ("85123A", 305)]


def test_case_of_a_stock_code_is_kept() -> None:
    assert [article.sku for article in make_plan([row(code="85099B"), row(code="85099b")], {}).articles] == [
        "85099B",
        "85099b",
    ]


def test_an_order_of_a_thousand_lines_is_placed_and_one_more_is_not() -> None:
    longest = [row(invoice="1", code=f"A{number}") for number in range(1000)]
    longer = [row(invoice="2", code=f"A{number}") for number in range(1001)]
    plan = make_plan([*longest, *longer], {})
    assert [invoice.number for invoice in plan.invoices] == ["1"]
    assert Counter(item.reason for item in plan.skipped) == {Reason.TOO_MANY_LINES: 1001}


def test_the_slice_is_understood_row_by_row() -> None:
    with SLICE.open(newline="", encoding="utf-8") as lines:
        plan = make_plan(read_rows(lines), {})
    assert (plan.invoices_read, plan.rows_read, len(plan.invoices)) == (32, 926, 23)
    assert max(len(invoice.lines) for invoice in plan.invoices) == 591
    assert Counter(item.reason for item in plan.skipped) == {
        Reason.NOT_GOODS: 8,
        Reason.NAMES_NO_ORDER: 4,
        Reason.NO_PRICE: 3,
        Reason.NO_QUANTITY: 2,
    }
    assert [invoice.number for invoice in plan.invoices if not invoice.customer] == ["536555", "536592", "536780"]


@given(
    st.lists(
        st.builds(
            row,
            invoice=st.sampled_from(["1", "2", "C2", "C3", "4", ""]),
            code=st.sampled_from(["A", "Z", "POST", "D"]),
            quantity=st.none() | st.integers(-20, 20_000),
            price_pence=st.none() | st.decimals(-100, 100_000, places=1),
            country=st.sampled_from(["France", "EIRE", "Unspecified"]),
        )
    )
)
def test_every_row_and_every_penny_is_ordered_given_back_or_skipped(rows: list[Row]) -> None:
    plan = make_plan(rows, {})
    ordered = sum(len(invoice.lines) for invoice in plan.invoices)
    ordered += sum(len(cancellation.lines) for cancellation in plan.cancellations)
    assert ordered + len(plan.skipped) == plan.rows_read == len(rows)
    skipped = sum(item.row.total_pence for item in plan.skipped)
    placed = sum(invoice.total_minor for invoice in plan.invoices)
    assert placed + sum(each.total_minor for each in plan.cancellations) + skipped == plan.total_pence
    assert all(units_of(each.lines) <= units_of(each.order.lines) for each in plan.cancellations)
    prices = {article.sku: article.price_minor for article in plan.articles}
    assert len(prices) == len(plan.articles)
    assert all(prices[line.sku] == line.unit_price_minor for invoice in plan.invoices for line in invoice.lines)
