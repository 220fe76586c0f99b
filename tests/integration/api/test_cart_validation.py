"""What a checkout's body may hold."""

from typing import Any

import pytest

from orders.models import Product
from tests.integration.api.conftest import EVERY_DATABASE, Cart, Shopper, pointers

pytestmark = [pytest.mark.django_db(databases=EVERY_DATABASE), pytest.mark.usefixtures("catalogue")]

CARD_NUMBER = "4242424242424242"


def refused(response: Any, *errors: tuple[str, str]) -> bool:
    return response.status_code == 422 and pointers(response) == list(errors)


@pytest.mark.parametrize(
    ("quantity", "code"),
    [
        (0, "min_value"),
        (-1, "min_value"),
        (10_000, "max_value"),
        (1.5, "invalid"),
        (2.0, "invalid"),
        ("2", "invalid"),
        (True, "invalid"),
        (None, "null"),
        (10**400, "max_value"),
    ],
)
def test_quantity_is_a_whole_number_from_1_to_9999(ada: Shopper, two_mugs: Cart, quantity: Any, code: str) -> None:
    two_mugs["lines"][0]["quantity"] = quantity
    assert refused(ada.check_out(two_mugs), ("/lines/0/quantity", code))


@pytest.mark.parametrize("quantity", [1, 9_999])
def test_smallest_and_largest_quantity_are_accepted(ada: Shopper, two_mugs: Cart, quantity: int) -> None:
    two_mugs["lines"][0]["quantity"] = quantity
    assert ada.check_out(two_mugs).status_code == 202


def test_order_of_nothing_is_accepted(ada: Shopper, two_mugs: Cart) -> None:
    Product.objects.update(price_minor=0)
    accepted = ada.check_out(two_mugs)
    assert (accepted.status_code, accepted.json()["total"]["amount_minor"]) == (202, 0)


def test_thousand_lines_are_accepted(ada: Shopper, two_mugs: Cart) -> None:
    two_mugs["lines"] *= 1_000
    assert ada.check_out(two_mugs).json()["total"] == {"amount_minor": 1_998_000, "currency": "GBP"}


def test_prices_may_be_in_a_currency_of_many_minor_units(ada: Shopper, two_mugs: Cart) -> None:
    Product.objects.update(price_minor=35_000_000_00, currency="IDR")
    assert ada.check_out(two_mugs).json()["total"] == {"amount_minor": 70_000_000_00, "currency": "IDR"}
    [mug, *_] = ada.get("/products").json()["results"]
    assert mug["price"] == {"amount_minor": 35_000_000_00, "currency": "IDR"}


def test_total_that_json_does_not_carry_exactly_is_refused(ada: Shopper, two_mugs: Cart) -> None:
    Product.objects.filter(sku="MUG-01").update(price_minor=2**52)
    assert refused(ada.check_out(two_mugs), ("/lines", "total_too_large"))
    two_mugs["lines"][0]["quantity"] = 1
    assert ada.check_out(two_mugs).json()["total"]["amount_minor"] == 2**52


@pytest.mark.parametrize(("lines", "code"), [(0, "empty"), (1_001, "max_length")])
def test_no_line_or_too_many_are_refused(ada: Shopper, two_mugs: Cart, lines: int, code: str) -> None:
    two_mugs["lines"] *= lines
    assert refused(ada.check_out(two_mugs), ("/lines", code))


def test_unknown_fields_are_refused_at_every_level(ada: Shopper, two_mugs: Cart) -> None:
    two_mugs["discount"] = 100
    two_mugs["lines"][0]["price"] = 1
    two_mugs["shipping_address"]["a/b~c"] = ""
    assert sorted(pointers(ada.check_out(two_mugs))) == [
        ("/discount", "unknown_field"),
        ("/lines/0/price", "unknown_field"),
        ("/shipping_address/a~1b~0c", "unknown_field"),
    ]


def test_only_the_line_at_fault_is_named(ada: Shopper, two_mugs: Cart) -> None:
    two_mugs["lines"] += [{"sku": "MUG-01", "quantity": 0}, {"sku": "MUG-01", "quantity": 1}]
    assert refused(ada.check_out(two_mugs), ("/lines/1/quantity", "min_value"))


@pytest.mark.parametrize("name", ["lines", "shipping_address", "payment_method"])
def test_missing_field_is_named(ada: Shopper, two_mugs: Cart, name: str) -> None:
    del two_mugs[name]
    assert refused(ada.check_out(two_mugs), (f"/{name}", "required"))


@pytest.mark.parametrize("body", ["[]", "null", '"cart"', "1"])
def test_body_that_is_not_an_object_is_refused(ada: Shopper, body: str) -> None:
    response = ada.check_out(body)
    assert response.status_code == 422
    assert [pointer for pointer, _ in pointers(response)] == [""]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("country", "UK", "invalid_country"),
        ("country", "gb", "invalid_country"),
        ("country", None, "null"),
        ("name", "", "blank"),
        ("name", 7, "invalid"),
        ("name", "x" * 201, "max_length"),
        ("line1", "12 St\nJames's", "control_character"),
        ("city", "Lon\x00don", "control_character"),
        ("postcode", "\ud800", "surrogate_characters_not_allowed"),
    ],
)
def test_address_is_checked(ada: Shopper, two_mugs: Cart, field: str, value: Any, code: str) -> None:
    two_mugs["shipping_address"][field] = value
    response = ada.check_out(two_mugs)
    assert response.status_code == 422
    assert (f"/shipping_address/{field}", code) in pointers(response)


@pytest.mark.parametrize("sku", ["NO-SUCH", "LAMP-01"])
def test_sku_that_is_not_on_sale_is_refused(ada: Shopper, two_mugs: Cart, sku: str) -> None:
    two_mugs["lines"] += [{"sku": sku, "quantity": 1}]
    assert refused(ada.check_out(two_mugs), ("/lines/1/sku", "unknown_sku"))


def test_cart_in_two_currencies_is_refused(ada: Shopper, two_mugs: Cart) -> None:
    two_mugs["lines"] += [{"sku": "BRIE-01", "quantity": 1}]
    assert refused(ada.check_out(two_mugs), ("/lines/1/sku", "currency_mismatch"))


@pytest.mark.parametrize(
    ("payment_method", "code"),
    [
        (CARD_NUMBER, "card_number"),
        (int(CARD_NUMBER), "card_number"),
        ("4242 4242 4242 4242", "card_number"),
        (f"tok_{CARD_NUMBER}", "card_number"),
        ("tok_4242_4242_4242_4242", "card_number"),
        ("secret-thing", "invalid"),
        ("tok_", "invalid"),
        ("tok_ok\n", "invalid"),
        ("tok_" + "x" * 65, "invalid"),
        ({"number": CARD_NUMBER}, "invalid"),
    ],
)
def test_payment_method_that_is_no_token_is_refused_and_not_echoed(
    ada: Shopper, two_mugs: Cart, payment_method: Any, code: str
) -> None:
    two_mugs["payment_method"] = payment_method
    response = ada.check_out(two_mugs)
    assert refused(response, ("/payment_method", code))
    assert CARD_NUMBER not in response.text
    assert "secret" not in response.text


def test_expected_total_that_is_right_is_accepted(ada: Shopper, two_mugs: Cart) -> None:
    two_mugs["expected_total"] = {"amount_minor": 1998, "currency": "GBP"}
    assert ada.check_out(two_mugs).status_code == 202


@pytest.mark.parametrize(
    "expected", [{"amount_minor": 1, "currency": "GBP"}, {"amount_minor": 1998, "currency": "EUR"}]
)
def test_expected_total_that_is_wrong_tells_the_actual_one(ada: Shopper, two_mugs: Cart, expected: Cart) -> None:
    two_mugs["expected_total"] = expected
    response = ada.check_out(two_mugs)
    assert refused(response, ("/expected_total", "price_changed"))
    assert response.json()["code"] == "price_changed"
    assert response.json()["total"] == {"amount_minor": 1998, "currency": "GBP"}


@pytest.mark.parametrize(
    ("expected", "pointer"),
    [
        ({"amount_minor": "1998", "currency": "GBP"}, "/expected_total/amount_minor"),
        ({"amount_minor": -1, "currency": "GBP"}, "/expected_total/amount_minor"),
        ({"amount_minor": 1998, "currency": "pounds"}, "/expected_total/currency"),
        ({"amount_minor": 1998}, "/expected_total/currency"),
        (None, "/expected_total"),
    ],
)
def test_expected_total_that_cannot_be_read_is_refused(
    ada: Shopper, two_mugs: Cart, expected: Any, pointer: str
) -> None:
    two_mugs["expected_total"] = expected
    response = ada.check_out(two_mugs)
    assert response.status_code == 422
    assert [at for at, _ in pointers(response)] == [pointer]
