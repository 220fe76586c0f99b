"""Fifty buyers, ten units."""

import pytest

from tests.support.crowd import at_once

pytestmark = pytest.mark.usefixtures("shared_worker", "audited")


def test_fifty_buyers_of_the_last_ten_units_buy_ten(shop):
    shop.stock(10, sku="LAST-01")

    saga_ids = at_once([lambda: shop.place(basket=[("LAST-01", 1)])] * 50)
    phases = shop.ended(*saga_ids)

    assert phases.count("completed") == 10
    assert {shop.saga(saga_id).failure["code"] for saga_id in saga_ids if shop.saga(saga_id).failure} == {
        "out_of_stock"
    }
    assert shop.available("LAST-01") == 0
