"""Customers and staff who change placed orders over HTTP."""

import json
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from knox.models import AuthToken

from orders.models import Order
from tests.support.shop import Shop

PERMISSIONS = ("cancel_order", "refund_order", "dispatch_order", "receive_return")


@dataclass(frozen=True)
class Changer:
    """A user with a token, who changes orders."""

    id: str
    token: str

    def post(self, path: str, body: Any = None, *, key: str = "", wait: int = 0) -> Any:
        """POST a body with a key, and a preference to wait (seconds) if it is not 0."""
        headers = {"Authorization": f"Token {self.token}", "Idempotency-Key": key or str(uuid4())}
        headers |= {"Prefer": f"wait={wait}"} if wait else {}
        sent = json.dumps({} if body is None else body)
        return Client(raise_request_exception=False).post(
            f"/api/v1{path}", data=sent, content_type="application/json", headers=headers
        )

    def get(self, path: str) -> Any:
        """GET a path below the API, or one that a Location named, and return its JSON."""
        path = path if path.startswith("/api/") else f"/api/v1{path}"
        return Client(raise_request_exception=False).get(path, headers={"Authorization": f"Token {self.token}"}).json()


def customer(name: str = "ada") -> Changer:
    """Return a new customer."""
    user = get_user_model().objects.create_user(name)
    return Changer(str(user.pk), AuthToken.objects.create(user)[1])


def staff(name: str = "kim") -> Changer:
    """Return a new member of staff who may make every change."""
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=PERMISSIONS))
    return Changer(str(user.pk), AuthToken.objects.create(user)[1])


def place_all(shop: Shop, who: Changer, number: int, **cart: Any) -> list[UUID]:
    """Place so many orders of the customer, wait until their checkouts have ended, and return the orders' ids."""
    requests = [replace(shop.request(**cart), customer_id=who.id) for _ in range(number)]
    shop.ended(*(shop.place(request) for request in requests))
    orders = [request.order_id for request in requests]
    assert Order.objects.filter(pk__in=orders).count() == number
    return orders
