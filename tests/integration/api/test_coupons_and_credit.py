"""Coupons and store credit over HTTP: what a checkout with them costs, needs and refuses at once."""

from typing import Any
from uuid import UUID

import pytest

from orchestration.models import SagaInstance
from orders.models import Coupon, Product
from tests.integration.api.conftest import EVERY_DATABASE, Cart, Shopper
from tests.support.coupons import coupon
from tests.support.wallets import granted

pytestmark = [pytest.mark.django_db(databases=EVERY_DATABASE), pytest.mark.usefixtures("catalogue")]

GBP = "GBP"


def money(amount_minor: int) -> dict[str, Any]:
    return {"amount_minor": amount_minor, "currency": GBP}


def refused(shopper: Shopper, cart: Cart) -> list[tuple[str, str]]:
    response = shopper.check_out(cart)
    assert response.status_code == 422, response.json()
    assert not SagaInstance.objects.exists()
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]


def test_checkout_shows_what_coupon_credit_and_card_pay(ada: Shopper, two_mugs: Cart) -> None:
    coupon(once_per_customer=True)
    granted(ada.id, 500)
    accepted = ada.check_out(two_mugs | {"coupon": "spring", "use_credit": 500}).json()
    assert accepted["total"] == money(1799)
    shown = ada.get(f"/checkouts/{accepted['id']}").json()
    assert (shown["discount"], shown["credit"], shown["card"]) == (money(199), money(500), money(1299))
    request = SagaInstance.objects.get(pk=UUID(accepted["id"])).request
    assert (request["coupon"], request["coupon_key"]) == ("SPRING", f"SPRING/{ada.id}")
    assert {step["status"] for step in shown["steps"]} == {"waiting"}


def test_no_more_credit_is_used_than_the_order_costs(ada: Shopper, two_mugs: Cart) -> None:
    granted(ada.id, 5000)
    cart = {name: value for name, value in two_mugs.items() if name != "payment_method"}
    accepted = ada.check_out(cart | {"use_credit": 5000}).json()
    shown = ada.get(f"/checkouts/{accepted['id']}").json()
    assert (shown["credit"], shown["card"]) == (money(1998), money(0))
    assert {each["name"] for each in shown["steps"] if each["status"] == "skipped"} >= {
        "authorise_payment",
        "capture_payment",
    }


def test_expected_total_is_the_one_after_the_discount(ada: Shopper, two_mugs: Cart) -> None:
    coupon()
    assert ada.check_out(two_mugs | {"coupon": "SPRING", "expected_total": money(1799)}).status_code == 202
    assert ada.check_out(two_mugs | {"coupon": "SPRING", "expected_total": money(1998)}).status_code == 422


def test_address_is_needed_only_for_what_is_shipped(ada: Shopper, two_mugs: Cart) -> None:
    cart = {name: value for name, value in two_mugs.items() if name != "shipping_address"}
    assert refused(ada, cart) == [("/shipping_address", "required")]
    Product.objects.filter(sku="MUG-01").update(ships=False)
    accepted = ada.check_out(cart).json()
    shown = ada.get(f"/checkouts/{accepted['id']}").json()
    assert next(each["status"] for each in shown["steps"] if each["name"] == "schedule_shipment") == "skipped"


def test_payment_method_is_needed_if_the_card_pays(ada: Shopper, two_mugs: Cart) -> None:
    cart = {name: value for name, value in two_mugs.items() if name != "payment_method"}
    assert refused(ada, cart) == [("/payment_method", "required")]
    coupon(value=100)
    assert ada.check_out(cart | {"coupon": "SPRING"}).status_code == 202


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"expires_at": "2026-01-01T00:00:00Z"}, "expired"),
        ({"used": 5}, "used_up"),
        ({"kind": "amount", "currency": "EUR"}, "currency_mismatch"),
        ({"code": "WINTER"}, "unknown_coupon"),
    ],
)
def test_coupon_that_cannot_be_used_is_refused_at_once(
    ada: Shopper, two_mugs: Cart, fields: dict[str, Any], code: str
) -> None:
    coupon(**fields)
    assert refused(ada, two_mugs | {"coupon": "SPRING"}) == [("/coupon", code)]
    assert Coupon.objects.filter(code="SPRING", used__gt=5).count() == 0


def test_credit_that_the_customer_does_not_have_is_refused_at_once(
    ada: Shopper, grace: Shopper, two_mugs: Cart
) -> None:
    granted(grace.id, 5000)
    granted(ada.id, 5000, "EUR")
    assert refused(ada, two_mugs | {"use_credit": 1}) == [("/use_credit", "insufficient")]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [({"use_credit": -1}, "/use_credit"), ({"use_credit": "all"}, "/use_credit"), ({"coupon": ""}, "/coupon")],
)
def test_what_is_no_credit_or_coupon_is_refused(
    ada: Shopper, two_mugs: Cart, wrong: dict[str, Any], pointer: str
) -> None:
    assert [each for each, _ in refused(ada, two_mugs | wrong)] == [pointer]


def test_customer_sees_their_own_store_credit(ada: Shopper, grace: Shopper) -> None:
    granted(ada.id, 500)
    granted(ada.id, 70, "EUR")
    assert ada.get("/credit").json() == [{"amount_minor": 70, "currency": "EUR"}, money(500)]
    assert grace.get("/credit").json() == []
