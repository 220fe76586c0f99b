"""Peer: a plain Celery chain in one worker of eight threads, on this project's own Celery."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from deploy.bench import processes
from deploy.peers import orders
from deploy.peers.request import Measure, Place

THREADS = 8


@contextmanager
def running(place: Place) -> Iterator[Measure]:
    """Run the worker, on a queue of its own."""
    os.environ |= {"PEERS_QUEUE": f"peers.{os.getpid()}", "PEERS_BROKER_URL": place.broker_url}
    from deploy.peers import chain_app

    command = [sys.executable, "-m", "celery", "-A", "deploy.peers.chain_app", "worker", "-P", "threads"]
    manners = ["-c", str(THREADS), "-n", "peer@%h", "-l", "ERROR", "--without-gossip", "--without-mingle"]
    try:
        _make_queue(chain_app.app)
        with processes.running([[*command, *manners]], {}, ready=lambda: _is_consumed(chain_app.app)) as workers:
            roots = {worker.pid: "workers" for worker in workers}
            yield partial(orders.drive, chain_app.place, place=place, roots=roots)
    finally:
        _remove_queue(chain_app.app)


def _make_queue(app: Any) -> None:
    with app.connection_for_write() as connection:
        app.amqp.queues[os.environ["PEERS_QUEUE"]].bind(connection.default_channel).declare()


def _is_consumed(app: Any) -> bool:
    with app.connection_for_write() as connection:
        queue = os.environ["PEERS_QUEUE"]
        return bool(connection.default_channel.queue_declare(queue, passive=True).consumer_count)


def _remove_queue(app: Any) -> None:
    with app.connection_for_write() as connection:
        connection.default_channel.queue_delete(os.environ["PEERS_QUEUE"])
        connection.default_channel.exchange_delete(os.environ["PEERS_QUEUE"])
