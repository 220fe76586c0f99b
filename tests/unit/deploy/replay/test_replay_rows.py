"""Reading rows of the Online Retail format."""

from decimal import Decimal

import pytest

from deploy.replay.rows import NotOnlineRetail, Row, read_rows

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def read(*lines: str) -> list[Row]:
    return list(read_rows("\n".join((HEADER, *lines)).splitlines(keepends=True)))


def test_a_row_is_read_with_its_place_in_the_file() -> None:
    [row] = read("536365,85123A,WHITE HOLDER,6,2010-12-01 08:26,2.55,17850,United Kingdom")
    assert row == Row(2, "536365", "85123A", "WHITE HOLDER", 6, Decimal(255), "17850", "United Kingdom")
    assert row.total_pence == 1530


def test_a_description_may_hold_commas_quotes_and_line_ends() -> None:
    first, second = read('1,A,"BOX, ""RED""\nLARGE",1,,1,,France', "1,B,,1,,1,,France")
    assert first.description == 'BOX, "RED"\nLARGE'
    assert second.number == 4


@pytest.mark.parametrize("text", ["", "six", "1.5", "nan", "Infinity"])
def test_a_quantity_that_is_no_whole_number_is_none(text: str) -> None:
    [row] = read(f"1,A,,{text},,1,,France")
    assert row.quantity is None
    assert row.total_pence == 0


@pytest.mark.parametrize("text", ["", "free", "nan", "-inf"])
def test_a_price_that_is_no_number_is_none(text: str) -> None:
    [row] = read(f"1,A,,1,,{text},,France")
    assert row.price_pence is None


def test_a_row_that_ends_early_is_read_as_far_as_it_goes() -> None:
    [row] = read("536365,85123A")
    assert (row.invoice, row.code, row.quantity, row.customer) == ("536365", "85123A", None, "")


def test_a_file_without_a_column_is_refused_by_its_name() -> None:
    with pytest.raises(NotOnlineRetail, match="no column UnitPrice, Country"):
        list(read_rows(["InvoiceNo,StockCode,Description,Quantity,InvoiceDate,CustomerID"]))


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(NotOnlineRetail):
        list(read_rows([]))
