"""Arrival processes: closed loop (an order is due when another has ended) and Poisson (orders come at random times)."""

import random
import threading
import time
from typing import Protocol

LOOKS_UP_AFTER_S = 0.1


class Arrivals(Protocol):
    """Decides for several threads when to start an order. Times are seconds since 1970."""

    def next(self) -> float | None:
        """Wait until an order is due and return the time at which it was due. Return None after `stop`."""
        ...

    def ended(self, orders: int) -> None:
        """Record that so many orders have ended."""
        ...

    def stop(self) -> None:
        """Stop the arrivals: no further order becomes due."""
        ...


class ClosedLoop:
    """Keeps a fixed number of orders in flight: each order that ends makes another one due."""

    def __init__(self, in_flight: int) -> None:
        self._room = threading.Semaphore(in_flight)
        self._stopped = threading.Event()

    def next(self) -> float | None:
        """Wait until fewer orders are in flight and return the current time."""
        while not self._stopped.is_set():
            if self._room.acquire(timeout=LOOKS_UP_AFTER_S):
                return time.time()
        return None

    def ended(self, orders: int) -> None:
        """Release one slot for each order that ended."""
        if orders:
            self._room.release(orders)

    def stop(self) -> None:
        """Stop the arrivals: no further order becomes due."""
        self._stopped.set()


class Poisson:
    """A fixed average of orders a second, at random intervals that do not depend on how fast orders end.

    A thread that is late starts its order at once. The order still counts as due at its planned time.
    """

    def __init__(self, per_second: float, *, chance: random.Random, begin: float) -> None:
        self.per_second = per_second
        self._chance = chance
        self._due = begin
        self._stopped = threading.Event()
        self._turn = threading.Lock()

    def next(self) -> float | None:
        """Wait until the next order is due and return the time at which it was due."""
        with self._turn:
            self._due += self._chance.expovariate(self.per_second)
            due = self._due
        self._stopped.wait(max(0.0, due - time.time()))
        return None if self._stopped.is_set() else due

    def ended(self, orders: int) -> None:
        """Do nothing: in this process, arrivals do not depend on ends."""

    def stop(self) -> None:
        """Stop the arrivals: no further order becomes due."""
        self._stopped.set()
