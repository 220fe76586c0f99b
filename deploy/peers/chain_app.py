"""The order as a plain Celery chain: late acks, confirms, no results; no log, no ledger, no recovery."""

import os

from celery import Celery, chain
from kombu import Queue

from deploy.peers import work

QUEUE = os.environ["PEERS_QUEUE"]

app = Celery("peers", broker=os.environ["PEERS_BROKER_URL"])
app.conf.update(
    task_queues=[Queue(QUEUE, routing_key=QUEUE)],
    task_default_queue=QUEUE,
    task_default_exchange=QUEUE,
    task_default_routing_key=QUEUE,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=4,
)


@app.task  # type: ignore[untyped-decorator]
def reserve(order: work.Order) -> work.Order:
    work.reserve_stock(order)
    return order


@app.task(throws=(work.Declined,))  # type: ignore[untyped-decorator]
def pay(order: work.Order) -> work.Order:
    work.take_payment(order)
    return order


@app.task  # type: ignore[untyped-decorator]
def ship(order: work.Order) -> work.Order:
    work.create_shipment(order)
    return order


@app.task  # type: ignore[untyped-decorator]
def confirm(order: work.Order) -> None:
    work.confirm_order(order)
    work.record(order["id"], work.COMPLETED)


@app.task  # type: ignore[untyped-decorator]
def undo(order: work.Order) -> None:
    """Undo the order after its card was declined."""
    work.release_stock(order)
    work.cancel_order(order)
    work.record(order["id"], work.COMPENSATED)


def place(order: work.Order) -> None:
    """Write the order and publish its chain."""
    work.create_order(order)
    steps = chain(reserve.s(order), pay.s(), ship.s(), confirm.s())
    steps.apply_async(link_error=undo.si(order))
