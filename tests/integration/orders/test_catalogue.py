"""The catalogue, and carts priced by it."""

import pytest

from orders.models import Product
from orders.pricing import PriceChanged, Total, UnknownProduct, price_cart
from orders.selectors import products_by_sku, products_on_sale
from orders.services import publish_products

pytestmark = pytest.mark.django_db(transaction=True, databases=["orders"])


def mug(price_minor: int = 450, *, active: bool = True) -> Product:
    return Product(sku="MUG", name="Mug", price_minor=price_minor, currency="GBP", active=active)


def test_publishing_a_product_again_changes_its_price() -> None:
    publish_products(products=[mug(450)])
    publish_products(products=[mug(500)])
    assert products_by_sku(["MUG", "NIL"])["MUG"].price_minor == 500
    assert list(products_on_sale().values_list("sku", flat=True)) == ["MUG"]


def test_a_cart_costs_what_the_catalogue_says() -> None:
    publish_products(products=[mug(450)])
    assert price_cart([("MUG", 3)]).total == Total(1350, "GBP")


def test_an_inactive_product_cannot_be_bought() -> None:
    publish_products(products=[mug(active=False)])
    with pytest.raises(UnknownProduct):
        price_cart([("MUG", 1)])


def test_a_total_that_is_no_longer_true_is_reported_with_the_true_one() -> None:
    publish_products(products=[mug(500)])
    with pytest.raises(PriceChanged) as error:
        price_cart([("MUG", 1)], expected_total=Total(450, "GBP"))
    assert error.value.actual == Total(500, "GBP")


def test_an_expected_total_in_another_currency_is_a_changed_price() -> None:
    publish_products(products=[mug(500)])
    with pytest.raises(PriceChanged):
        price_cart([("MUG", 1)], expected_total=Total(500, "EUR"))
