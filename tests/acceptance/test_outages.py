"""Workers, queues or the whole broker away for a while: orders are accepted, and placed once they are back."""

import json
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from knox.models import AuthToken

from deploy.servers.rabbitmq import PrivateRabbit
from orders.models import Order, Product
from tests.support import broker
from tests.support.tables import missing_table

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def rabbit(workforce) -> Iterator[PrivateRabbit]:
    """A broker of our own, which this process and the workers it starts talk to."""
    with PrivateRabbit() as rabbit, broker.talking_to(rabbit.url):
        broker.declare_queues()
        yield rabbit
        try:
            workforce.wait_until_quiet()
        finally:
            workforce.stop_private()


def test_orders_placed_while_all_workers_are_down_are_done_when_they_are_up(shop, start_worker):
    saga_ids = [shop.place() for _ in range(20)]
    assert broker.waiting_messages() == 20

    start_worker()

    assert shop.ended(*saga_ids) == ["completed"] * 20


def test_orders_whose_queues_are_deleted_are_sent_again(shop, start_worker):
    saga_ids = [shop.place() for _ in range(5)]
    broker.delete_queues()
    broker.declare_queues()

    start_worker()

    assert shop.ended(*saga_ids) == ["completed"] * 5


def test_orders_whose_queues_are_gone_altogether_are_accepted_and_done_later(shop, start_worker):
    broker.delete_queues()
    saga_ids = [shop.place() for _ in range(2)]

    start_worker()

    assert shop.ended(*saga_ids) == ["completed"] * 2


def test_failures_that_cannot_be_written_down_do_not_stop_a_worker(shop, start_worker):
    worker = start_worker()
    with (
        missing_table("orchestration", "django_celery_results_taskresult"),
        missing_table("inventory", "inventory_stock"),
    ):
        saga_ids = [shop.place() for _ in range(2 * worker.prefetched)]
        shop.reaches(saga_ids[-1], "failed reserve_stock", seconds=30)

    assert shop.ended(*saga_ids) == ["completed"] * len(saga_ids)


@pytest.mark.servers
def test_post_is_accepted_while_the_broker_is_stopped_and_the_order_placed_once_it_runs(shop, start_worker, rabbit):
    start_worker()
    rabbit.kill()

    accepted = post_checkout()
    assert accepted.status_code == 202, accepted.content
    assert accepted.json()["status"] == "processing"
    rabbit.start()

    assert shop.ended(UUID(accepted.json()["id"])) == ["completed"]
    assert Order.objects.count() == 1


def post_checkout():
    """POST a cart of one mug as a customer."""
    Product.objects.create(sku="MUG-01", name="Mug", price_minor=999, currency="GBP")
    user = get_user_model().objects.create_user(username="ada")
    token = AuthToken.objects.create(user)[1]
    cart = {
        "lines": [{"sku": "MUG-01", "quantity": 1}],
        "shipping_address": {
            "name": "Ada",
            "line1": "1 High St",
            "city": "Leeds",
            "postcode": "LS1 1AA",
            "country": "GB",
        },
        "payment_method": "tok_ok",
    }
    return Client().post(
        "/api/v1/checkouts",
        data=json.dumps(cart),
        content_type="application/json",
        headers={"Authorization": f"Token {token}", "Idempotency-Key": str(uuid4())},
    )
