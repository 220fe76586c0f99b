"""`python -m deploy.peers.dbos_service`: DBOS workflows, started by the process that runs them, as a web process would.

Closed loop: several threads place one order after another. With --per-second: Poisson, each workflow in the background.
"""

import argparse
import os
import random
import signal
import threading
import time
import uuid
from collections.abc import Callable
from itertools import count

from dbos import DBOS

from deploy.peers import work

SYSTEM_DATABASE = "dbos"
PATIENCE_S = 10
"""The longest wait at the end for workflows in the background, in seconds."""


def launch(number: int) -> None:
    """Prepare the system database and connect to it."""
    DBOS(
        config={
            "name": "peers",
            "system_database_url": work.url(SYSTEM_DATABASE).replace("postgres://", "postgresql://", 1),
            "log_level": "ERROR",
            "application_version": "bench",
            "executor_id": f"bench{number}",
            "sys_db_pool_size": 20,
            "run_admin_server": False,
        }
    )
    DBOS.launch()


@DBOS.step()
def create(order: work.Order) -> None:
    work.create_order(order)


@DBOS.step()
def reserve(order: work.Order) -> None:
    work.reserve_stock(order)


@DBOS.step()
def pay(order: work.Order) -> None:
    """Take the payment. Return as usual when the card is declined: DBOS would log a traceback for an error."""
    try:
        work.take_payment(order)
    except work.Declined:
        return


@DBOS.step()
def ship(order: work.Order) -> None:
    work.create_shipment(order)


@DBOS.step()
def confirm(order: work.Order) -> None:
    work.confirm_order(order)


@DBOS.step()
def release(order: work.Order) -> None:
    work.release_stock(order)


@DBOS.step()
def cancel(order: work.Order) -> None:
    work.cancel_order(order)


@DBOS.workflow()
def place(order: work.Order) -> None:
    """Place one order, or undo it."""
    create(order)
    reserve(order)
    pay(order)
    if order["declined"]:
        release(order)
        cancel(order)
        work.record(order["id"], work.COMPENSATED)
        return
    ship(order)
    confirm(order)
    work.record(order["id"], work.COMPLETED)


class Orders:
    """The orders of this process, one after another."""

    def __init__(self, skus: int, declined_every: int) -> None:
        self._skus, self._declined_every = skus, declined_every
        self._numbers = count(random.randrange(10))

    def due(self, at: float) -> work.Order:
        """Return the next order and record that it was due."""
        number = next(self._numbers)
        declined = bool(self._declined_every) and number % self._declined_every == 0
        order = work.Order(id=str(uuid.uuid4()), sku=random.randrange(self._skus), declined=declined)
        work.record(order["id"], work.STARTED, at)
        return order


def closed_loop(orders: Orders, threads: int, stopped: threading.Event) -> None:
    """Keep so many orders in flight until `stopped` is set."""

    def place_orders() -> None:
        while not stopped.is_set():
            place(orders.due(time.time()))

    _in_threads(place_orders, threads)


def poisson(orders: Orders, per_second: float, stopped: threading.Event) -> None:
    """Start orders at their times until `stopped` is set, then wait for those in flight."""
    due = time.time()
    handles = []
    while True:
        due += random.expovariate(per_second)
        if stopped.wait(max(0.0, due - time.time())):
            break
        handles.append(DBOS.start_workflow(place, orders.due(due)))
    for handle in handles[-100:]:
        handle.get_result()


def main() -> None:
    """Place orders until SIGTERM. With --migrate, only prepare the system database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--migrate", action="store_true")
    for name in ("--number", "--threads", "--skus", "--declined-every"):
        parser.add_argument(name, type=int, default=0)
    parser.add_argument("--per-second", type=float)
    request = parser.parse_args()
    stopped = threading.Event()
    launch(request.number)
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    if not request.migrate:
        orders = Orders(request.skus, request.declined_every)
        if request.per_second:
            poisson(orders, request.per_second, stopped)
        else:
            closed_loop(orders, request.threads, stopped)
    DBOS.destroy()
    os._exit(0)  # DBOS's threads would keep the process running


def _in_threads(target: Callable[[], None], number: int) -> None:
    threads = [threading.Thread(target=target) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
