"""Orders started at their times, and what became of them between two looks at the clock."""

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
from deploy.bench.records import Record, Tail, What
from deploy.bench.spent import Reading, Spent

POLL_S = 0.002
STARTERS = 4
"""Threads that start orders: as in a web process, one does not wait for the other's commit."""


class Starter(Protocol):
    """Starts orders from several threads."""

    def start_order(self, number: int, order: UUID) -> None:
        """Start the order of this number under this id."""
        ...

    def leave(self) -> None:
        """Give back what this thread holds: it starts no more."""
        ...


class NothingHappens(Exception):
    """The load did not begin in time."""


@dataclass(frozen=True)
class Window:
    """Seconds of a measurement: before it, its own, and how long what is in flight then may take."""

    warmup_s: float
    seconds: float
    drain_s: float = 30.0
    begins_within_s: float = 60.0


@dataclass
class Happened:
    """All that happened: when orders were due and how they ended; `begin` and `end` of what counts."""

    begin: float = 0.0
    end: float = 0.0
    spent: Spent = field(default_factory=Spent)
    due: dict[UUID, float] = field(default_factory=dict)
    ends: dict[UUID, Record] = field(default_factory=dict)

    def learn(self, records: list[Record]) -> int:
        """Take records in and give how many orders ended by them."""
        before = len(self.ends)
        for record in records:
            if record.what is What.STARTED:
                self.due[record.order] = record.at
            else:
                self.ends.setdefault(record.order, record)
        return len(self.ends) - before

    def unfinished(self) -> int:
        """Tell how many started orders have no end."""
        return len(self.due.keys() - self.ends.keys())


def drive(
    starter: Starter,
    arrivals: Arrivals,
    *,
    tail: Tail,
    window: Window,
    look: Callable[[], Reading],
) -> Happened:
    """Start orders as they are due, for as long as the window says, then wait for those in flight."""
    happened = Happened()
    tail.skip()
    with starting(starter, arrivals, happened.due):
        _watch(happened, tail, window, look, arrivals)
    drain(happened, tail, window)
    return happened


@contextmanager
def starting(starter: Starter, arrivals: Arrivals, due: dict[UUID, float]) -> Iterator[None]:
    """Have threads start orders as they are due, until the block ends; `due` learns of each before it can end."""
    numbers = count()
    with ThreadPoolExecutor(STARTERS) as pool:
        running = [pool.submit(_start_orders, starter, arrivals, numbers, due) for _ in range(STARTERS)]
        try:
            yield
        finally:
            arrivals.stop()
        for each in running:
            each.result()  # raises what went wrong there


def watch(*, tail: Tail, window: Window, look: Callable[[], Reading]) -> Happened:
    """Watch load that other processes make, from its first order on; ending it is the caller's.

    :raises NothingHappens: when it does not begin.
    """
    happened = Happened()
    deadline = time.monotonic() + window.begins_within_s
    while not (records := tail.more()):
        if time.monotonic() > deadline:
            raise NothingHappens(f"no order within {window.begins_within_s:g} s")
        time.sleep(POLL_S)
    happened.learn(records)
    _watch(happened, tail, window, look)
    return happened


def drain(happened: Happened, tail: Tail, window: Window) -> None:
    """Wait for what is in flight, so that nothing leaks into the next measurement."""
    deadline = time.monotonic() + window.drain_s
    happened.learn(tail.more())
    while happened.unfinished() and time.monotonic() < deadline:
        time.sleep(10 * POLL_S)
        happened.learn(tail.more())


def _watch(
    happened: Happened, tail: Tail, window: Window, look: Callable[[], Reading], arrivals: Arrivals | None = None
) -> None:
    _follow(happened, tail, arrivals, until=time.monotonic() + window.warmup_s)
    before, happened.begin = look(), time.time()
    _follow(happened, tail, arrivals, until=time.monotonic() + window.seconds)
    after, happened.end = look(), time.time()
    happened.spent = after - before


def _follow(happened: Happened, tail: Tail, arrivals: Arrivals | None, *, until: float) -> None:
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
