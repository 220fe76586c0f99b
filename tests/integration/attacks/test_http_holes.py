"""Bodies that the HTTP door must survive, and answers it must not take back."""

import pytest
from django.db import OperationalError

from config import env
from orders.models import Ledger, Product
from tests.integration.api.conftest import Shopper, broker_away, new_shopper, two_mugs  # noqa: F401  fixtures

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))


@pytest.fixture
def ada(new_shopper) -> Shopper:  # noqa: F811
    Product.objects.create(sku="MUG-01", name="Mug", price_minor=999, currency="GBP")
    return new_shopper("ada")


@pytest.mark.parametrize(
    "body",
    [r'{"\ud800": 1}', r'{"lines": [{"sku": "MUG-01", "quantity": 1, "\ud800": 1}]}'],
    ids=["in the cart", "in a line"],
)
def test_a_member_named_by_half_a_character_is_refused_like_any_unknown_one(ada, body):
    assert ada.check_out(body).status_code in (400, 422)


def test_a_confirmed_checkout_is_not_processing_again_when_orders_does_not_answer(ada, two_mugs, monkeypatch):  # noqa: F811
    checkout = ada.check_out(two_mugs).json()["id"]
    Ledger.objects.create(saga_id=checkout, step="place_order", status="done", history=["done"], token=1)
    assert ada.get(f"/checkouts/{checkout}").json()["status"] == "confirmed"

    def unless_orders(manager, alias):
        if manager.model is Ledger:
            raise OperationalError("gone")
        return manager.get_queryset().using(alias)

    monkeypatch.setattr(type(Ledger.objects), "using", unless_orders)
    again = ada.get(f"/checkouts/{checkout}")

    assert again.status_code == 503 or again.json()["status"] == "confirmed"
