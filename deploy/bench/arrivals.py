"""When the next order is due: as soon as one has ended, or whenever a customer comes."""

import random
import threading
import time
from typing import Protocol

LOOKS_UP_AFTER_S = 0.1


class Arrivals(Protocol):
    """Tells several threads when to start an order. Times are seconds since 1970."""

    def next(self) -> float | None:
        """Wait until an order is due and give when that was; None: no more are."""
        ...

    def ended(self, orders: int) -> None:
        """Learn that so many have ended."""
        ...

    def stop(self) -> None:
        """Let no more come."""
        ...


class ClosedLoop:
    """Keeps so many orders in flight: one that ends makes another one due."""

    def __init__(self, in_flight: int) -> None:
        self._room = threading.Semaphore(in_flight)
        self._stopped = threading.Event()

    def next(self) -> float | None:
        """Wait until fewer are in flight and give the time."""
        while not self._stopped.is_set():
            if self._room.acquire(timeout=LOOKS_UP_AFTER_S):
                return time.time()
        return None

    def ended(self, orders: int) -> None:
        """Make room."""
        if orders:
            self._room.release(orders)

    def stop(self) -> None:
        """Let no more come."""
        self._stopped.set()


class Poisson:
    """So many orders a second come on average, each whenever it likes, however the others fare.

    Whoever is late for one starts it at once; it was due all the same when it was due.
    """

    def __init__(self, per_second: float, *, chance: random.Random, begin: float) -> None:
        self.per_second = per_second
        self._chance = chance
        self._due = begin
        self._stopped = threading.Event()
        self._turn = threading.Lock()

    def next(self) -> float | None:
        """Wait until the next one is due and give when that was."""
        with self._turn:
            self._due += self._chance.expovariate(self.per_second)
            due = self._due
        self._stopped.wait(max(0.0, due - time.time()))
        return None if self._stopped.is_set() else due

    def ended(self, orders: int) -> None:
        """Change nothing: customers do not wait for each other."""

    def stop(self) -> None:
        """Let no more come."""
        self._stopped.set()
