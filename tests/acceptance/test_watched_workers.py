"""Workers that send Celery's events, as Flower wants them."""

import pytest

ORDERS = 200


@pytest.mark.usefixtures("audited")
def test_a_worker_that_is_watched_does_as_well_as_others(shop, start_worker):
    saga_ids = [shop.place() for _ in range(ORDERS)]

    start_worker(threads=8, options=["-E"])

    assert shop.ended(*saga_ids, seconds=60) == ["completed"] * ORDERS
