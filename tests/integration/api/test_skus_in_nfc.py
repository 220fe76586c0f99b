"""A SKU is one product in whichever Unicode form it is written, by whichever door it comes in."""

import importlib
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connections
from django.test import Client
from uuid_utils.compat import uuid7

from deploy.replay.rows import COLUMNS, read_rows
from inventory.models import Movement, Reservation, Stock
from inventory.services import top_up_stock
from orchestration.models import SagaInstance
from orders.models import Product
from orders.services import publish_products
from tests.integration.api.conftest import EVERY_DATABASE, Cart, Shopper

pytestmark = [pytest.mark.django_db(databases=EVERY_DATABASE), pytest.mark.usefixtures("catalogue")]

NFC, NFD = "CAF\u00c9-01", "CAFE\u0301-01"


def product(sku: str) -> Product:
    return Product(sku=sku, name="Coffee", price_minor=100, currency="GBP")


@pytest.mark.parametrize("published", [NFC, NFD], ids=["nfc", "nfd"])
@pytest.mark.parametrize("ordered", [NFC, NFD], ids=["nfc", "nfd"])
def test_an_order_finds_the_product(ada: Shopper, two_mugs: Cart, published: str, ordered: str) -> None:
    publish_products(products=[product(published)])
    two_mugs["lines"] = [{"sku": ordered, "quantity": 1}]
    assert ada.check_out(two_mugs).status_code == 202
    assert SagaInstance.objects.get().request["lines"][0]["sku"] == NFC


def test_a_delivery_finds_the_stock() -> None:
    call_command("receive_stock", NFC, "3")
    call_command("receive_stock", NFD, "4")
    top_up_stock(units_by_sku={NFD: 10})
    assert Stock.objects.get(sku=NFC).on_hand == 10
    assert not Stock.objects.filter(sku=NFD).exists()


def test_the_admin_keeps_one_form(admin_client: Client) -> None:
    said = {"sku": NFD, "name": "Coffee", "price_minor": 100, "currency": "GBP", "active": "on"}
    assert admin_client.post("/admin/orders/product/add/", said).status_code == 302
    assert Product.objects.filter(sku=NFC).exists()
    assert admin_client.post("/admin/orders/product/add/", {**said, "sku": NFC}).status_code == 200  # it is there


def test_old_orders_are_read_in_one_form() -> None:
    row = ",".join("X" if column != "StockCode" else NFD for column in COLUMNS)
    [read] = read_rows([",".join(COLUMNS), row])
    assert read.code == NFC


def migrate(app: str) -> None:
    migration: Any = importlib.import_module(f"{app}.migrations.0003_skus_in_nfc")
    migration.normalise(apps, SimpleNamespace(connection=connections[app]))


def test_skus_kept_until_now_are_migrated() -> None:
    Product.objects.bulk_create([product(NFD)])
    Stock.objects.bulk_create([Stock(sku=NFD, on_hand=5)])
    Reservation.objects.create(saga_id=uuid7(), order_id=uuid7(), stock_id=NFD, quantity=1)
    Movement.objects.create(stock_id=NFD, kind="received", quantity=5)
    for app in ("orders", "inventory"):
        migrate(app)
    assert Product.objects.get(name="Coffee").sku == Stock.objects.get(on_hand=5).sku == NFC
    assert Reservation.objects.get().stock_id == Movement.objects.get().stock_id == NFC
    connections["inventory"].check_constraints()


def test_where_both_forms_are_kept_each_stays() -> None:
    Product.objects.bulk_create([product(NFC), product(NFD)])
    migrate("orders")
    assert set(Product.objects.filter(name="Coffee").values_list("sku", flat=True)) == {NFC, NFD}


@pytest.mark.parametrize("app", ["orders", "inventory"])
def test_of_two_skus_with_one_form_the_second_stays_and_is_printed(
    app: str, capsys: pytest.CaptureFixture[str]
) -> None:
    letter, sign = "A\u030a", "\u212b"
    Product.objects.bulk_create([product(letter), product(sign)])
    Stock.objects.bulk_create([Stock(sku=letter, on_hand=5), Stock(sku=sign, on_hand=5)])
    migrate(app)
    kept = Product.objects.filter(name="Coffee") if app == "orders" else Stock.objects.filter(on_hand=5)
    assert set(kept.values_list("sku", flat=True)) == {"\u00c5", sign}
    [reported] = capsys.readouterr().out.splitlines()
    assert reported.startswith(app)
    assert r"'\u212b' stays beside '\xc5'" in reported
