"""A shop with a small catalogue and two customers, talked to over HTTP."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from knox.models import AuthToken

from inventory.models import Stock
from orchestration.contracts.values import Line
from orchestration.engine import dispatch
from orders.models import Order, Product
from tests.support.placed_orders import placed, read

EVERY_DATABASE = ["orchestration", "inventory", "payments", "shipping", "orders", "gateway", "carrier"]
BASE = "/api/v1"

Cart = dict[str, Any]


@dataclass(frozen=True)
class Shopper:
    """A customer with a token. Requests are JSON unless told otherwise; a key is made up unless one is given."""

    id: str
    token: str
    client: Client

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(BASE + path, headers=self._headers(options), **options)

    def post(self, path: str, **options: Any) -> Any:
        return self.client.post(BASE + path, headers=self._headers(options), **options)

    def check_out(self, cart: Any, key: str | None = None, **headers: str) -> Any:
        """POST a cart; a str or bytes goes out as it is."""
        body = cart if isinstance(cart, str | bytes) else json.dumps(cart)
        headers = {"Idempotency-Key": key or str(uuid4()), **headers}
        return self.post("/checkouts", data=body, content_type="application/json", headers=headers)

    def _headers(self, options: dict[str, Any]) -> dict[str, str]:
        return {"Authorization": f"Token {self.token}", **options.pop("headers", {})}


@pytest.fixture(autouse=True)
def broker_away() -> Iterator[None]:
    """Nothing of this needs a broker: checkouts are accepted all the same, and stay where the test puts them."""
    dispatch.breaker.open(math.inf)
    yield
    dispatch.breaker.close()


@pytest.fixture
def catalogue(db: None) -> None:
    """Mugs at £9.99 (1,000 in stock), tea at £3.50 (none), a lamp that is no longer sold, a cheese in euros."""
    Product.objects.bulk_create(
        [
            Product(sku="MUG-01", name="Mug", price_minor=999, currency="GBP"),
            Product(sku="TEA-01", name="Tea", price_minor=350, currency="GBP"),
            Product(sku="LAMP-01", name="Lamp", price_minor=4500, currency="GBP", active=False),
            Product(sku="BRIE-01", name="Brie", price_minor=600, currency="EUR"),
        ]
    )
    Stock.objects.create(sku="MUG-01", on_hand=1000)


@pytest.fixture
def new_shopper(db: None) -> Callable[[str], Shopper]:
    def make(name: str) -> Shopper:
        user = get_user_model().objects.create_user(username=name)
        return Shopper(str(user.pk), AuthToken.objects.create(user)[1], Client(raise_request_exception=False))

    return make


@pytest.fixture
def ada(new_shopper: Callable[[str], Shopper]) -> Shopper:
    return new_shopper("ada")


@pytest.fixture
def grace(new_shopper: Callable[[str], Shopper]) -> Shopper:
    return new_shopper("grace")


@pytest.fixture
def hire(db: None) -> Callable[..., Shopper]:
    """Make somebody of the staff, with some permissions."""

    def hire(name: str, *permissions: str) -> Shopper:
        user = get_user_model().objects.create_user(username=name, is_staff=True)
        codenames = [each.rpartition(".")[2] for each in permissions]
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        return Shopper(str(user.pk), AuthToken.objects.create(user)[1], Client(raise_request_exception=False))

    return hire


@pytest.fixture
def boss(hire: Callable[..., Shopper]) -> Shopper:
    """Somebody of the staff who may do everything."""
    labels = ("orchestration", "orders")
    every = Permission.objects.filter(content_type__app_label__in=labels).values_list("codename", flat=True)
    return hire("boss", *every)


@pytest.fixture
def order(ada: Shopper) -> Order:
    """Ada's order of three mugs at £9.99 and a tea at £3.50, placed by a checkout that is not there any more."""
    lines = (Line("MUG-01", 3, 999), Line("TEA-01", 1, 350))
    return read(placed(*lines, customer_id=ada.id))


@pytest.fixture
def two_mugs() -> Cart:
    return {
        "lines": [{"sku": "MUG-01", "quantity": 2}],
        "shipping_address": {
            "name": "Ada Lovelace",
            "line1": "12 St James's Square",
            "city": "London",
            "postcode": "SW1Y 4JH",
            "country": "GB",
        },
        "payment_method": "tok_ok",
    }


def pointers(response: Any) -> list[tuple[str, str]]:
    """(pointer, code) of each member a problem document names."""
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]
