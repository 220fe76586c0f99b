"""Peer: DBOS Transact, two processes that start and run their workflows, four at a time each."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from deploy.bench import load, processes
from deploy.bench.load import LoadEvents
from deploy.bench.records import Tail
from deploy.peers.request import Measure, MeasurementRequest, Place

PROCESSES = 2
THREADS = 4
SYSTEM_DATABASE = "dbos"


@contextmanager
def running(place: Place) -> Iterator[Measure]:
    """Prepare its system database for the block. Its processes run only while they are measured."""
    subprocess.run([*_command(place), "--migrate"], cwd=processes.PROJECT, check=True, capture_output=True)
    yield partial(_measure, place)


def _measure(place: Place, request: MeasurementRequest) -> LoadEvents:
    tail = Tail(place.records)
    tail.skip()
    commands = [[*_command(place), *_what(request, number)] for number in range(PROCESSES)]
    with processes.running(commands, {}) as members:
        look = place.meter({member.pid: "workers" for member in members}).read
        happened = load.watch(tail=tail, window=request.window, look=look)
        processes.end(members)
    load.drain(happened, tail, request.window)
    return happened


def _command(place: Place) -> list[str]:
    return [place.python, "-m", "deploy.peers.dbos_service"]


def _what(request: MeasurementRequest, number: int) -> list[str]:
    per_second = request.variant.rate(request.base_per_second)
    poisson = ["--per-second", str(per_second / PROCESSES)] if per_second else []
    counts = ["--number", str(number), "--threads", str(THREADS), "--skus", str(request.skus_bought())]
    return [*counts, "--declined-every", str(request.variant.declined_every), *poisson]
