"""The memory that workers hold after many sagas."""

import time
from collections.abc import Iterator
from pathlib import Path

from django.db import connections

from deploy.bench import buyer, load
from deploy.bench.arrivals import ClosedLoop
from deploy.bench.baskets import Baskets
from deploy.bench.load import LoadEvents, NoLoad
from deploy.bench.measurement import Plan, Running

SAMPLES = 10


def resident_mib(sagas: int, plan: Plan, running: Running) -> Iterator[tuple[int, float]]:
    """Carry out so many sagas. Yield the workers' resident memory in MiB before them and after each tenth of them.

    :raises NoLoad: when sagas stop ending.
    """
    happened, arrivals = LoadEvents(), ClosedLoop(plan.in_flight)
    running.tail.skip()
    connections.close_all()
    yield 0, _resident_mib(running)
    with load.starting(buyer.Buyer(Baskets(plan.skus)), arrivals, happened.due):
        for tenth in range(1, SAMPLES + 1):
            wanted = max(1, sagas * tenth // SAMPLES)
            _wait_for(wanted, happened, arrivals, plan, running)
            yield wanted, _resident_mib(running)
    load.drain(happened, running.tail, plan.window)


def _wait_for(wanted: int, happened: LoadEvents, arrivals: ClosedLoop, plan: Plan, running: Running) -> None:
    last = time.monotonic()
    while len(happened.ends) < wanted:
        if ended := happened.learn(running.tail.more()):
            arrivals.ended(ended)
            last = time.monotonic()
        elif time.monotonic() > last + plan.window.drain_s:
            raise NoLoad(f"no saga ended within {plan.window.drain_s:g} s, {len(happened.ends)} before")
        time.sleep(load.POLL_S)


def _resident_mib(running: Running) -> float:
    """Return the workers' current resident memory in MiB, from /proc (proc(5))."""
    kib = 0
    for worker in running.workers:
        status = Path(f"/proc/{worker.pid}/status").read_text()
        kib += int(status.partition("VmRSS:")[2].split()[0])
    return kib / 1024
