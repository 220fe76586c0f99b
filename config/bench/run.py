"""A closed loop: so many sagas in flight, each replaced when it is decided."""

import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any
from uuid import UUID

from django.db import connections
from uuid_utils.compat import uuid7

from orchestration import engine
from orchestration.contracts.orders import CheckoutRequested
from orchestration.contracts.values import Address, Line, Sealed
from orchestration.models import ALIAS
from orchestration.sagas.checkout import checkout
from orchestration.statements import execute

POLL_S = 0.02
ENDED_AMONG = (
    "SELECT id, phase, ended_at - created_at FROM orchestration_sagainstance "
    "WHERE id = ANY(%s::uuid[]) AND ended_at IS NOT NULL"
)
PRICE_MINOR = 1999


class TookTooLong(Exception):
    """Not every saga was decided in time."""


@dataclass(frozen=True)
class Plan:
    """What to measure: `concurrency` sagas in flight until `orders` are decided; `skus` to choose from."""

    orders: int
    concurrency: int
    skus: tuple[str, ...]
    payment_method: Sealed
    starters: int = 2
    patience_s: float = 300


@dataclass
class Measured:
    """Wall seconds of the whole, each order's seconds from its start to its end, and how they ended."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)


def measure(plan: Plan) -> Measured:
    """Place the orders and wait until each is decided.

    :raises TookTooLong: when `patience_s` passes without the last one's end.
    """
    free: SimpleQueue[None] = SimpleQueue()
    for _ in range(plan.concurrency):
        free.put(None)
    numbers = iter(range(plan.orders))
    started: dict[UUID, None] = {}
    measured, began = Measured(), time.monotonic()
    threads = [
        threading.Thread(target=_start_orders, args=(plan, numbers, free, started)) for _ in range(plan.starters)
    ]
    for thread in threads:
        thread.start()
    while len(measured.latencies) < plan.orders:
        if time.monotonic() - began > plan.patience_s:
            raise TookTooLong(f"{plan.orders - len(measured.latencies)} sagas of {plan.orders} are not decided")
        time.sleep(POLL_S)
        _collect(started, measured, free)
    measured.seconds = time.monotonic() - began
    for thread in threads:
        thread.join()
    return measured


def report(plan: Plan, measured: Measured, cpu: dict[str, float] | None) -> dict[str, Any]:
    """The figures, ready for JSON; times in ms."""
    cuts = statistics.quantiles(measured.latencies, n=100) if len(measured.latencies) > 1 else measured.latencies * 99
    return {
        "orders": plan.orders,
        "concurrency": plan.concurrency,
        "seconds": round(measured.seconds, 2),
        "orders_per_second": round(plan.orders / measured.seconds, 1),
        "p50_ms": round(cuts[49] * 1000, 1),
        "p95_ms": round(cuts[94] * 1000, 1),
        "p99_ms": round(cuts[98] * 1000, 1),
        "ends": dict(measured.ends),
        "cpu_ms_per_order": None if cpu is None else round(sum(cpu.values()) * 1000 / plan.orders, 2),
        "cpu_ms_per_order_by_part": None
        if cpu is None
        else {part: round(seconds * 1000 / plan.orders, 2) for part, seconds in cpu.items()},
    }


def _start_orders(plan: Plan, numbers: Iterator[int], free: SimpleQueue[None], started: dict[UUID, None]) -> None:
    for number in numbers:
        free.get()
        saga_id = uuid7()
        request = _request(plan, number)
        origin = engine.Origin(request.customer_id, request.idempotency_key, "bench")
        engine.start_saga(checkout, request, saga_id=saga_id, origin=origin, now=datetime.now(UTC))
        started[saga_id] = None
    connections[ALIAS].close()


def _collect(started: dict[UUID, None], measured: Measured, free: SimpleQueue[None]) -> None:
    for saga_id, phase, latency in execute(ALIAS, ENDED_AMONG, list(started)):
        del started[saga_id]
        measured.latencies.append(latency.total_seconds())
        measured.ends[phase] += 1
        free.put(None)


def _request(plan: Plan, number: int) -> CheckoutRequested:
    order_id = uuid7()
    return CheckoutRequested(
        order_id=order_id,
        customer_id="bench",
        idempotency_key=str(order_id),
        lines=(Line(plan.skus[number % len(plan.skus)], 1, PRICE_MINOR),),
        total_minor=PRICE_MINOR,
        currency="GBP",
        payment_method=plan.payment_method,
        shipping_address=Address("A. Buyer", "1 High Street", "Leeds", "LS1 1AA", "GB"),
        placed_at=datetime.now(UTC),
    )
