"""A process whose host has a wrong clock: orders, due times and breakers go by the servers' clocks."""

import json
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from knox.models import AuthToken

from orchestration.db import clocks
from orchestration.messaging.topology import ORCHESTRATOR
from orchestration.models import Marker, SagaInstance
from orders.models import Product
from tests.support.broker import purge_queues
from tests.support.faketime import AHEAD, BEHIND, FASTER, RIGHT, clock_in, run_python, set_clock, wrong_clock
from tests.support.wait import wait_for

SLACK = timedelta(seconds=5)

CHECK_OUT = """
import django, os, time
django.setup()
from django.test import Client
cart = os.environ["CART"]
headers = {"Authorization": "Token " + os.environ["TOKEN"], "Idempotency-Key": "k1", "Host": "localhost"}
client, until = Client(raise_request_exception=False), time.monotonic() + 40
while True:  # the first request of a process connects to all databases, and may be answered 503 for that
    answer = client.post("/api/v1/checkouts", data=cart, content_type="application/json", headers=headers)
    if answer.status_code != 503 or time.monotonic() > until:
        break
    time.sleep(0.5)
assert answer.status_code == 202, answer.content
"""


def test_a_lost_order_is_found_although_the_only_orchestrator_was_an_hour_ahead(shop, start_worker, audited):
    saga_id = shop.place()
    purge_queues()
    ahead = start_worker([ORCHESTRATOR], env=wrong_clock(AHEAD))
    wait_for(lambda: Marker.objects.exists(), seconds=30, what="a marker: it has looked at the order")
    reported = ahead.log()
    ahead.stop()
    purge_queues()  # its marker is lost as well
    start_worker()

    assert shop.ended(saga_id, seconds=30) == ["completed"]
    assert "this host's clock is 3600.0 s ahead of that of the database of orchestration" in reported


def test_orders_go_on_as_ever_where_every_workers_clock_is_wrong(shop, start_worker, audited):
    for offset in (AHEAD, BEHIND, FASTER):
        start_worker(env=wrong_clock(offset))

    saga_ids = [shop.place() for _ in range(30)]

    assert shop.ended(*saga_ids) == ["completed"] * 30
    assert max(SagaInstance.objects.values_list("token", flat=True)) <= 2
    written = SagaInstance.objects.values_list("created_at", "ended_at")
    assert all(began <= ended <= clocks.now() + SLACK for began, ended in written)


def test_orders_go_on_while_the_only_workers_clock_jumps_and_when_it_is_right_again(
    shop, start_worker, audited, tmp_path
):
    set_clock(clock := tmp_path / "clock", RIGHT)
    worker = start_worker(env=clock_in(clock))
    saga_ids = [shop.place() for _ in range(5)]

    set_clock(clock, AHEAD)
    wait_for(lambda: "s ahead of that of the database" in worker.log(), seconds=30, what="a worker that sees the jump")
    saga_ids += [shop.place() for _ in range(5)]
    assert shop.ended(*saga_ids, seconds=30) == ["completed"] * 10

    set_clock(clock, RIGHT)
    assert shop.ended(*(shop.place() for _ in range(5)), seconds=30) == ["completed"] * 5
    assert max(SagaInstance.objects.values_list("token", flat=True)) <= 2


def test_an_order_taken_by_a_web_process_an_hour_ahead_is_looked_at_in_time(shop, start_worker):
    Product.objects.create(sku=shop.sku, name="Mug", price_minor=100, currency="GBP")
    token = AuthToken.objects.create(get_user_model().objects.create_user(username="ada"))[1]
    address = {"name": "A. Buyer", "line1": "1 High St", "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"}
    cart = {"lines": [{"sku": shop.sku, "quantity": 1}], "shipping_address": address, "payment_method": "tok_ok"}

    env = {"CART": json.dumps(cart), "TOKEN": token, "DJANGO_SETTINGS_MODULE": "config.settings"}
    run_python(CHECK_OUT, offset=AHEAD, env=env)
    saga, now = SagaInstance.objects.get(), clocks.now()
    purge_queues()  # its message is lost

    assert saga.due_at <= now + settings.PRESUMED_LOST_AFTER + SLACK
    assert saga.deadline_at <= now + timedelta(minutes=15) + SLACK
    start_worker()
    assert shop.ended(saga.pk, seconds=30) == ["completed"]
