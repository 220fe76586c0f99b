"""Pricing a cart, given the catalogue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.contracts.values import Line
from orders.models import Product
from orders.pricing import CurrencyMismatch, Total, TotalTooLarge, UnknownProduct, price_from


def product(sku: str, price_minor: int, currency: str = "GBP") -> Product:
    return Product(sku=sku, name=sku, price_minor=price_minor, currency=currency)


CATALOGUE = {row.sku: row for row in (product("MUG", 450), product("CUP", 0), product("TASSE", 300, "EUR"))}


def test_lines_keep_their_order_and_get_the_catalogues_price() -> None:
    cart = price_from(CATALOGUE, [("MUG", 2), ("CUP", 1), ("MUG", 1)])
    assert cart.lines == (Line("MUG", 2, 450), Line("CUP", 1, 0), Line("MUG", 1, 450))
    assert cart.total == Total(1350, "GBP")


def test_every_line_with_an_unknown_sku_is_named() -> None:
    with pytest.raises(UnknownProduct) as error:
        price_from(CATALOGUE, [("NIL", 1), ("MUG", 1), ("mug", 1)])
    assert error.value.lines == (0, 2)


def test_every_line_in_another_currency_than_the_first_is_named() -> None:
    with pytest.raises(CurrencyMismatch) as error:
        price_from(CATALOGUE, [("MUG", 1), ("TASSE", 1), ("CUP", 1)])
    assert error.value.lines == (1,)


def test_the_largest_total_is_what_json_carries_exactly() -> None:
    catalogue = {"GOLD": product("GOLD", 2**53 - 1), "PENNY": product("PENNY", 1)}
    assert price_from(catalogue, [("GOLD", 1)]).total.amount_minor == 2**53 - 1
    with pytest.raises(TotalTooLarge):
        price_from(catalogue, [("GOLD", 1), ("PENNY", 1)])


@given(st.lists(st.tuples(st.sampled_from(["MUG", "CUP"]), st.integers(1, 9_999)), min_size=1, max_size=50))
def test_the_total_is_the_sum_of_the_lines(lines: list[tuple[str, int]]) -> None:
    cart = price_from(CATALOGUE, lines)
    assert cart.total.amount_minor == sum(line.total_minor for line in cart.lines)
