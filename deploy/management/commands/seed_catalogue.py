"""`manage.py seed_catalogue`: creates products, stock, a customer and two operators, to try the shop with."""

import json
import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission, User
from django.core.management.base import BaseCommand
from knox.models import AuthToken

from inventory.selectors import available_units
from inventory.services import top_up_stock
from orchestration.models.actions import MOVES_MONEY
from orchestration.operators.actions.permissions import APPROVE_BATCH, BREAK_LOCK
from orchestration.operators.actions.requests import PERMISSIONS
from orders.models import Product
from orders.services import publish_products

CURRENCY = "GBP"
CUSTOMER = "demo-customer"
OPERATOR = "demo-admin"
APPROVER = "demo-approver"
"""The second operator: views sagas, and approves batches that move money and requests to break a lock."""
PLENTY = 100_000
SCARCE = 5
SCARCE_SKU = "DEMO-SCARCE"
PRODUCTS = (
    *(
        Product(
            sku=f"DEMO-{number:03}", name=f"Demo product {number}", price_minor=199 + 50 * number, currency=CURRENCY
        )
        for number in range(1, 21)
    ),
    Product(sku=SCARCE_SKU, name="Demo product, nearly gone", price_minor=999, currency=CURRENCY),
)


class Command(BaseCommand):
    help = (
        "Put demo products on sale with stock. Create a customer, an operator, and a second operator who approves "
        "batches and the breaking of locks. If run again, it restocks and makes new tokens and passwords."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=("text", "json"), default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        publish_products(products=PRODUCTS)
        top_up_stock(units_by_sku=_units())
        seeded = {
            "token": _token_of(CUSTOMER),
            "admin_user": OPERATOR,
            "admin_password": _password_of(OPERATOR, is_superuser=True),
            "admin_token": _token_of(OPERATOR),
            "approver_user": APPROVER,
            "approver_password": _approver_password(),
            "skus": _skus(),
            "scarce_sku": SCARCE_SKU,
        }
        self.stdout.write(json.dumps(seeded, indent=2) if options["format"] == "json" else _text(seeded))


def _units() -> dict[str, int]:
    return {product.sku: PLENTY for product in PRODUCTS} | {SCARCE_SKU: SCARCE}


def _token_of(name: str) -> str:
    """Create a token and revoke the old ones, which cannot be shown again."""
    user, _ = User.objects.get_or_create(username=name, defaults={"password": make_password(None)})
    AuthToken.objects.filter(user=user).delete()
    _, token = AuthToken.objects.create(user)
    return str(token)


def _approver_password() -> str:
    password = _password_of(APPROVER, is_superuser=False)
    approves = (APPROVE_BATCH, BREAK_LOCK, *(PERMISSIONS[action] for action in MOVES_MONEY))
    permissions = ("orchestration.view_sagainstance", *approves)
    names = [permission.partition(".")[2] for permission in permissions]
    granted = Permission.objects.filter(content_type__app_label="orchestration", codename__in=names)
    User.objects.get(username=APPROVER).user_permissions.set(granted)
    return password


def _password_of(name: str, *, is_superuser: bool) -> str:
    operator, _ = User.objects.get_or_create(username=name)
    operator.is_staff, operator.is_superuser = True, is_superuser
    password = secrets.token_urlsafe(12)
    operator.set_password(password)
    operator.save()
    return password


def _skus() -> list[dict[str, object]]:
    available = available_units(product.sku for product in PRODUCTS)
    return [
        {"sku": product.sku, "price_minor": product.price_minor, "available": available[product.sku]}
        for product in PRODUCTS
    ]


def _text(seeded: dict[str, Any]) -> str:
    return (
        f"{len(seeded['skus'])} products on sale; {SCARCE} units of {seeded['scarce_sku']}\n"
        f"customer token  {seeded['token']}\n"
        f"admin           {seeded['admin_user']} / {seeded['admin_password']}\n"
        f"admin token     {seeded['admin_token']}\n"
        f"approves        {seeded['approver_user']} / {seeded['approver_password']}"
    )
