"""Messages that cannot be carried out: the saga hears of them, and their contents stay out of the logs."""

import json
from uuid import uuid4

import pytest

from config import env
from orchestration import engine
from orchestration.models import SagaInstance
from orchestration.states import StepRefused
from tests.support.broker import dead_letters, publish_raw, waiting_messages
from tests.support.processes import ALL_QUEUES
from tests.support.waiting import wait_for
from datetime import UTC, datetime

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))


def test_a_compensation_nobody_can_read_is_parked_and_does_not_hold_up_the_others(shop, start_worker):
    start_worker(["inventory"])
    saga_id = shop.place()
    wait_for(lambda: shop.ledger(saga_id).get("reserve_stock") == "done", what="the reservation")
    SagaInstance.objects.filter(pk=saga_id).update(
        request={name: fact for name, fact in shop.saga(saga_id).request.items() if name != "shipping_address"}
    )
    from payments.models import Ledger

    Ledger.objects.create(saga_id=saga_id, step="authorise_payment", status="refused", history=["refused"], token=1)
    from shipping.models import Ledger as Shipments

    Shipments.objects.create(saga_id=saga_id, step="schedule_shipment", status="done", history=["done"], token=1)
    declined = StepRefused("authorise_payment", {"code": "card_declined", "detail": ""})
    engine.apply(saga_id, declined, now=datetime.now(UTC))
    worker = start_worker([queue for queue in ALL_QUEUES if queue.endswith("compensations") or queue == "orchestrator"])

    try:
        wait_for(lambda: shop.ledger(saga_id)["reserve_stock"] == "undone", seconds=20, what="the stock's release")
        wait_for(lambda: shop.saga(saga_id).parked, seconds=20, what="a parked saga")
    finally:
        print(shop.story(saga_id), shop.ledger(saga_id), dead_letters(), worker.log()[-6000:])


@pytest.mark.parametrize("task", ["inventory.no_such_task", "inventory.reserve_stock"])
def test_the_body_of_a_message_nobody_can_run_is_not_logged(start_worker, task):
    worker = start_worker(["inventory"])
    carried = {"known": {"shipping_address": {"line1": "CANARY LANE"}, "payment_method": "CANARY_TOKEN"}, "trail": []}
    before = dead_letters()
    body = json.dumps([[carried], {"saga_id": str(uuid4())}, {"chain": None}])
    headers = {"task": task, "id": str(uuid4()), "lang": "py", "argsrepr": "()", "kwargsrepr": "{}"}
    if task == "inventory.reserve_stock":
        headers["eta"] = "not a time"  # Celery finds the task's message invalid
    publish_raw(
        "inventory", body, content_type="application/json", content_encoding="utf-8", headers=headers
    )
    wait_for(lambda: dead_letters() > before or not waiting_messages(worker.queues), what="the message to be taken")
    wait_for(lambda: task in worker.log(), what="a word about it in the log")

    assert "CANARY" not in worker.log()


def test_a_service_whose_compensations_nobody_works_on_does_not_hold_up_the_others(shop, start_worker):
    start_worker([queue for queue in ALL_QUEUES if queue != "shipping.compensations"])
    saga_id = shop.place(payment_method="tok_declined")
    shop.reaches(saga_id, "refused authorise_payment")

    wait_for(lambda: shop.ledger(saga_id)["reserve_stock"] == "undone", seconds=20, what="the stock's release")


