"""`/orders` and `/products`."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from inventory.models import Stock
from orders.models import Order, OrderLine, Product
from tests.integration.api.conftest import EVERY_DATABASE, Shopper

pytestmark = pytest.mark.django_db(databases=EVERY_DATABASE)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def place(shopper: Shopper, *, minutes: int = 0) -> UUID:
    order = Order.objects.create(
        id=uuid4(),
        saga_id=uuid4(),
        customer_id=shopper.id,
        idempotency_key=str(uuid4()),
        status=Order.Status.CONFIRMED,
        total_minor=2348,
        currency="GBP",
        shipping_address={
            "name": "Ada",
            "line1": "1 Road",
            "line2": "",
            "city": "London",
            "postcode": "N1",
            "country": "GB",
        },
        authorisation_id="auth_1",
        tracking_number="TRACK-1",
        placed_at=NOON + timedelta(minutes=minutes),
    )
    OrderLine.objects.create(order=order, position=0, sku="MUG-01", quantity=2, unit_price_minor=999)
    OrderLine.objects.create(order=order, position=1, sku="TEA-01", quantity=1, unit_price_minor=350)
    return UUID(str(order.id))


def every_page(shopper: Shopper, path: str) -> list[list[Any]]:
    pages = []
    while path:
        page = shopper.get(path).json()
        pages.append(page["results"])
        path = (page["next"] or "").partition("/api/v1")[2]
    return pages


def test_order_is_shown_whole(ada: Shopper) -> None:
    order_id = place(ada)
    order = ada.get(f"/orders/{order_id}").json()
    assert UUID(order.pop("checkout_id"))
    assert order == {
        "id": str(order_id),
        "status": "confirmed",
        "total": {"amount_minor": 2348, "currency": "GBP"},
        "discount": {"amount_minor": 0, "currency": "GBP"},
        "credit": {"amount_minor": 0, "currency": "GBP"},
        "refunded": {"amount_minor": 0, "currency": "GBP"},
        "lines": [
            {
                "sku": "MUG-01",
                "quantity": 2,
                "unit_price": {"amount_minor": 999, "currency": "GBP"},
                "total": {"amount_minor": 1998, "currency": "GBP"},
                "dispatched": 0,
                "returned": 0,
            },
            {
                "sku": "TEA-01",
                "quantity": 1,
                "unit_price": {"amount_minor": 350, "currency": "GBP"},
                "total": {"amount_minor": 350, "currency": "GBP"},
                "dispatched": 0,
                "returned": 0,
            },
        ],
        "shipping_address": {
            "name": "Ada",
            "line1": "1 Road",
            "line2": "",
            "city": "London",
            "postcode": "N1",
            "country": "GB",
        },
        "tracking_number": "TRACK-1",
        "placed_at": "2026-03-01T12:00:00Z",
    }


def test_order_of_another_customer_is_not_found(ada: Shopper, grace: Shopper) -> None:
    order_id = place(ada)
    assert grace.get(f"/orders/{order_id}").status_code == 404
    assert grace.get("/orders").json()["results"] == []


def test_orders_come_newest_first_in_pages(ada: Shopper) -> None:
    placed = [str(place(ada, minutes=minute)) for minute in range(25)]
    pages = every_page(ada, "/orders")
    assert [len(page) for page in pages] == [20, 5]
    assert [order["id"] for page in pages for order in page] == placed[::-1]


def test_order_placed_between_two_pages_neither_repeats_nor_hides_another(ada: Shopper) -> None:
    placed = [str(place(ada, minutes=minute)) for minute in range(25)]
    first = ada.get("/orders").json()
    place(ada, minutes=100)
    second = ada.get(first["next"].partition("/api/v1")[2]).json()
    assert [order["id"] for page in (first, second) for order in page["results"]] == placed[::-1]


def test_page_of_orders_costs_a_fixed_number_of_queries(ada: Shopper, django_assert_num_queries: Any) -> None:
    for minute in range(20):
        place(ada, minutes=minute)
    with django_assert_num_queries(2, using="orders"):
        ada.get("/orders")


def test_products_show_price_and_what_can_be_bought_now(ada: Shopper, catalogue: None) -> None:
    Stock.objects.filter(sku="MUG-01").update(reserved=10)
    assert ada.get("/products").json()["results"] == [
        {"sku": "BRIE-01", "name": "Brie", "price": {"amount_minor": 600, "currency": "EUR"}, "available": 0},
        {"sku": "MUG-01", "name": "Mug", "price": {"amount_minor": 999, "currency": "GBP"}, "available": 990},
        {"sku": "TEA-01", "name": "Tea", "price": {"amount_minor": 350, "currency": "GBP"}, "available": 0},
    ]


def test_products_come_in_pages(ada: Shopper) -> None:
    skus = [f"P-{number:03}" for number in range(150)]
    Product.objects.bulk_create(Product(sku=sku, name=sku, price_minor=1, currency="GBP") for sku in skus)
    pages = every_page(ada, "/products")
    assert [len(page) for page in pages] == [100, 50]
    assert [product["sku"] for page in pages for product in page] == skus


@pytest.mark.parametrize("cursor", ["nonsense", "%00", "cD0lMDA=", "cD1ub3Qtei10aW1l", "bz0tMQ==", "ww=="])
@pytest.mark.parametrize("path", ["/orders", "/products"])
def test_made_up_cursor_never_breaks_a_list(ada: Shopper, path: str, cursor: str) -> None:
    place(ada)
    response = ada.get(f"{path}?cursor={cursor}")
    assert response.status_code == 200 or response.json()["code"] == "invalid_cursor"


def test_cursor_that_holds_no_time_is_invalid_for_orders(ada: Shopper) -> None:
    response = ada.get("/orders?cursor=cD1ub3QtYS10aW1l")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_cursor")
