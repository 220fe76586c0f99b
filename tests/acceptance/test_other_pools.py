"""Workers without threads: the same orders, message by message as Celery delivers them."""

import pytest

from orders.models import Order

pytestmark = pytest.mark.usefixtures("audited")


def test_orders_go_through_a_worker_of_processes(shop, start_worker):
    worker = start_worker(pool="prefork", threads=2)

    placed, declined = shop.place(), shop.place(payment_method="tok_declined")

    assert shop.ended(placed, declined) == ["completed", "compensated"]
    assert Order.objects.count() == 1
    assert worker.is_alive()


def test_a_step_that_fails_comes_back_in_a_worker_of_processes(shop, start_worker):
    start_worker(pool="prefork", threads=2)

    saga_id = shop.place(payment_method="tok_fail_1")

    assert shop.ended(saga_id) == ["completed"]
    assert "failed authorise_payment" in shop.story(saga_id)
