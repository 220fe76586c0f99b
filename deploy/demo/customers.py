"""Many customers at once: places the planned orders and polls them until all are decided."""

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock

from deploy.demo.client import Client, Refused
from deploy.demo.plan import Order

CUSTOMERS = 8
POLL_SECONDS = 0.3
UNDECIDED = ("processing", "cancelling")


@dataclass
class Shopping:
    """The placed orders and their outcomes, counted while they happen."""

    client: Client
    started_at: float = field(default_factory=time.monotonic)
    decided_at: float = 0.0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)  # by (kind, outcome)
    placed_by_kind: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # checkout ids
    _undecided: dict[str, str] = field(default_factory=dict)  # checkout id -> kind
    _lock: Lock = field(default_factory=Lock)
    _over: Event = field(default_factory=Event)

    @property
    def placed(self) -> int:
        """How many orders were accepted, or refused by the API."""
        with self._lock:
            return len(self._undecided) + self.outcomes.total()

    @property
    def decided(self) -> int:
        """How many orders are confirmed, failed, cancelled or were refused by the API."""
        return self.outcomes.total()

    @property
    def orders_per_second(self) -> float:
        """Decided orders divided by the time from the first request to the last decision seen."""
        return self.decided / max(self.decided_at - self.started_at, 0.001)

    def place_all(self, orders: Iterable[Order]) -> None:
        """Place all orders, several at a time."""
        with ThreadPoolExecutor(CUSTOMERS) as customers:
            list(customers.map(self._place, orders))

    def follow(self, *, until: int, seconds: float, on_progress: Callable[["Shopping"], None]) -> None:
        """Poll the orders until so many are decided or the time is up."""
        deadline = time.monotonic() + seconds
        with ThreadPoolExecutor(CUSTOMERS) as customers:
            while self.decided < until and time.monotonic() < deadline:
                list(customers.map(self._look, list(self._undecided)))
                on_progress(self)
                self._over.wait(POLL_SECONDS)

    def give_up(self) -> None:
        """Stop placing the remaining orders."""
        self._over.set()

    def _place(self, order: Order) -> None:
        if self._over.is_set():
            return
        try:
            checkout_id = self.client.place(order.body, key=str(uuid.uuid4()))
        except Refused as refused:
            self._decide(order.kind, f"refused by the API: {refused}")
        else:
            with self._lock:
                self._undecided[checkout_id] = order.kind
                self.placed_by_kind[order.kind].append(checkout_id)

    def _look(self, checkout_id: str) -> None:
        if self._over.is_set():
            return
        checkout = self.client.checkout(checkout_id)
        if checkout["status"] in UNDECIDED:
            return
        failure = checkout.get("failure")
        with self._lock:
            kind = self._undecided.pop(checkout_id)
        self._decide(kind, f"{checkout['status']}: {failure['code']}" if failure else checkout["status"])

    def _decide(self, kind: str, outcome: str) -> None:
        with self._lock:
            self.outcomes[kind, outcome] += 1
            self.decided_at = time.monotonic()
