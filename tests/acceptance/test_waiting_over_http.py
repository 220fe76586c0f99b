"""A customer who waits is told when the order has ended, without anybody asking the database before."""

import json
import time
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from knox.models import AuthToken

from orchestration.api import completion_listener
from orders.models import Product
from tests.support.wait import wait_for

pytestmark = pytest.mark.usefixtures("shared_worker")

PATIENCE_S = 10
CART = {
    "lines": [{"sku": "MUG-01", "quantity": 1}],
    "shipping_address": {"name": "A. Buyer", "line1": "1 High St", "city": "Leeds", "postcode": "LS1", "country": "GB"},
    "payment_method": "tok_ok",
}


def test_order_is_seen_confirmed_with_one_look(shop, monkeypatch):
    monkeypatch.setattr(completion_listener, "LOOKS_ANYWAY_AFTER_S", 60.0)
    Product.objects.create(sku=shop.sku, name="Mug", price_minor=999, currency="GBP")
    token = AuthToken.objects.create(get_user_model().objects.create_user("ada"))[1]
    ends = completion_listener.ends()
    with ends.expected(uuid4()):
        wait_for(lambda: ends.hears, what="announcements are heard")

    began = time.monotonic()
    with CaptureQueriesContext(connections["orders"]) as asked:
        response = Client().post(
            "/api/v1/checkouts",
            data=json.dumps(CART),
            content_type="application/json",
            headers={"Authorization": f"Token {token}", "Idempotency-Key": "k-1", "Prefer": f"wait={PATIENCE_S}"},
        )

    assert (response.status_code, response.json()["status"]) == (200, "confirmed")
    steps = [step["status"] for step in response.json()["steps"]]
    assert [status for status in steps if status != "skipped"] == ["done"] * 5
    assert time.monotonic() - began < PATIENCE_S, "it was found only when the time was over"
    assert ends.expects() == 0
    assert len(asked) == 0, "whether the pivot is done was asked before the end was announced"
