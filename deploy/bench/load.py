"""Load: starts orders when they are due and collects how they ended between two readings of the counters."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol
from uuid import UUID

from uuid_utils.compat import uuid7

from deploy.bench.arrivals import Arrivals
from deploy.bench.cost import Reading, Spent
from deploy.bench.records import EventKind, Record, Tail

POLL_S = 0.002
STARTERS = 4
"""Threads that start orders: as in a web process, one thread does not wait for another thread's commit."""


class Starter(Protocol):
    """Starts orders from several threads."""

    def start_order(self, number: int, order: UUID) -> None:
        """Start order `number` under this id."""
        ...

    def leave(self) -> None:
        """Return the connections that this thread holds: it starts no more orders."""
        ...


class NoLoad(Exception):
    """The load did not begin in time."""


@dataclass(frozen=True)
class Window:
    """The seconds of a measurement: warm-up, measurement, and the longest wait for the orders then in flight."""

    warmup_s: float
    seconds: float
    drain_s: float = 30.0
    begins_within_s: float = 60.0


@dataclass
class LoadEvents:
    """All recorded events: when orders were due and how they ended. Ends between `begin` and `end` count."""

    begin: float = 0.0
    end: float = 0.0
    spent: Spent = field(default_factory=Spent)
    due: dict[UUID, float] = field(default_factory=dict)
    ends: dict[UUID, Record] = field(default_factory=dict)

    def learn(self, records: list[Record]) -> int:
        """Add the records and return how many orders ended in them."""
        before = len(self.ends)
        for record in records:
            if record.what is EventKind.STARTED:
                self.due[record.order] = record.at
            else:
                self.ends.setdefault(record.order, record)
        return len(self.ends) - before

    def unfinished(self) -> int:
        """Count the started orders that have no end."""
        return len(self.due.keys() - self.ends.keys())


def drive(
    starter: Starter,
    arrivals: Arrivals,
    *,
    tail: Tail,
    window: Window,
    look: Callable[[], Reading],
) -> LoadEvents:
    """Start orders when they are due, for the length of the window, then wait for those in flight."""
    happened = LoadEvents()
    tail.skip()
    with starting(starter, arrivals, happened.due):
        _watch(happened, tail, window, look, arrivals)
    drain(happened, tail, window)
    return happened


@contextmanager
def starting(starter: Starter, arrivals: Arrivals, due: dict[UUID, float]) -> Iterator[None]:
    """Start orders from several threads when they are due, until the block ends. `due` has each
    order before it can end.
    """
    numbers = count()
    with ThreadPoolExecutor(STARTERS) as pool:
        running = [pool.submit(_start_orders, starter, arrivals, numbers, due) for _ in range(STARTERS)]
        try:
            yield
        finally:
            arrivals.stop()
        for each in running:
            each.result()  # raises an exception of that thread


def watch(*, tail: Tail, window: Window, look: Callable[[], Reading]) -> LoadEvents:
    """Watch the load that other processes make, from its first order on. The caller ends the load.

    :raises NoLoad: when the load does not begin in time.
    """
    happened = LoadEvents()
    deadline = time.monotonic() + window.begins_within_s
    while not (records := tail.more()):
        if time.monotonic() > deadline:
            raise NoLoad(f"no order within {window.begins_within_s:g} s")
        time.sleep(POLL_S)
    happened.learn(records)
    _watch(happened, tail, window, look)
    return happened


def drain(happened: LoadEvents, tail: Tail, window: Window) -> None:
    """Wait for orders in flight, so that they do not affect the next measurement."""
    deadline = time.monotonic() + window.drain_s
    happened.learn(tail.more())
    while happened.unfinished() and time.monotonic() < deadline:
        time.sleep(10 * POLL_S)
        happened.learn(tail.more())


def _watch(
    happened: LoadEvents, tail: Tail, window: Window, look: Callable[[], Reading], arrivals: Arrivals | None = None
) -> None:
    _follow(happened, tail, arrivals, until=time.monotonic() + window.warmup_s)
    before, happened.begin = look(), time.time()
    _follow(happened, tail, arrivals, until=time.monotonic() + window.seconds)
    after, happened.end = look(), time.time()
    happened.spent = after - before


def _follow(happened: LoadEvents, tail: Tail, arrivals: Arrivals | None, *, until: float) -> None:
    while time.monotonic() < until:
        ended = happened.learn(tail.more())
        if arrivals is not None:
            arrivals.ended(ended)
        time.sleep(POLL_S)


def _start_orders(starter: Starter, arrivals: Arrivals, numbers: Iterator[int], due: dict[UUID, float]) -> None:
    try:
        while (at := arrivals.next()) is not None:
            order = uuid7()
            due[order] = at
            starter.start_order(next(numbers), order)
    finally:
        starter.leave()
