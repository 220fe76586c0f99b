"""A series of measurements taken in one run: reports each as it ends, and gives the medians as a table and as JSON."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from uuid_utils.compat import uuid7

from config.celery import app
from deploy.bench import buyer, measurement, memory, stored_sagas
from deploy.bench.baskets import Baskets
from deploy.bench.figures import Figures, medians
from deploy.bench.load import NoLoad
from deploy.bench.measurement import Plan, Running
from deploy.bench.table import lay_out, number, table

Tell = Callable[[str], None]


@dataclass
class Series:
    """Rounds of figures by name, in the order in which they were measured."""

    tell: Tell
    rounds: list[dict[str, Figures]] = field(default_factory=list)

    def measure(self, plan: Plan, names: Sequence[str], *, rounds: int) -> None:
        """Measure the variants in rounds, each variant once a round."""
        for _ in range(rounds):
            self.rounds.append({})
            self._one_round(plan, names)

    def scale(self, plan: Plan, workers: Sequence[int], *, rounds: int) -> None:
        """Measure base and hot with each number of workers, in rounds."""
        for _ in range(rounds):
            self.rounds.append({})
            for count in workers:
                crew = replace(plan.crew, workers=count)
                self._one_round(replace(plan, crew=crew), ("base", "hot"), suffix=f", workers: {count}")

    def medians(self) -> dict[str, Figures]:
        """Return the medians of all rounds by name."""
        return {name: medians([each[name] for each in self.rounds]) for name in self.rounds[0]}

    def table(self) -> str:
        """Format the medians as a table."""
        return table(self.medians())

    def as_json(self) -> dict[str, Any]:
        """Return medians and rounds as plain values."""
        return {
            "medians": {name: figures.as_json() for name, figures in self.medians().items()},
            "rounds": [{name: figures.as_json() for name, figures in each.items()} for each in self.rounds],
        }

    def _one_round(self, plan: Plan, names: Sequence[str], *, suffix: str = "") -> None:
        for name, figures in measurement.one_round(plan, names):
            self.rounds[-1][name + suffix] = figures
            self.tell(
                f"round {len(self.rounds)}  {name + suffix:20} {number(figures.orders_per_second):>9} orders/s  "
                f"p50 {number(figures.p50_ms)} ms  CPU {number(figures.cpu_ms_per_order, 2)} ms an order"
            )


def prepare(plan: Plan) -> None:
    """Declare the queues and ensure stock of everything that orders buy."""
    with app.connection_for_write() as connection:
        settings.TOPOLOGY.declare(connection)
    buyer.ensure_stock(plan.skus)


def store(sagas: int, plan: Plan, tell: Tell) -> dict[str, int]:
    """Store so many ended sagas in the databases and return the databases' sizes in bytes."""
    began = time.monotonic()
    if stored_sagas.count() != sagas:
        stored_sagas.clear()
        if sagas:
            with measurement.running_workers(plan.crew) as running:
                original = _original(running)
            stored_sagas.fill(sagas=sagas, original=original)
    sizes = stored_sagas.sizes()
    shown = ", ".join(f"{alias} {size / 2**20:,.0f} MiB" for alias, size in sizes.items())
    tell(f"{stored_sagas.count():,} stored sagas, after {time.monotonic() - began:.0f} s: {shown}")
    return sizes


def remember(sagas: int, plan: Plan, tell: Tell) -> dict[int, float]:
    """Measure the workers' memory while they carry out so many sagas: resident memory in MiB after each tenth."""
    resident = {}
    with measurement.running_workers(plan.crew) as running:
        for done, mib in memory.resident_mib(sagas, plan, running):
            resident[done] = round(mib, 1)
            tell(f"after {done:,} sagas {mib:,.1f} MiB")
    return resident


def memory_table(resident: dict[int, float]) -> str:
    """Format the workers' memory as a table."""
    return lay_out([["sagas", "MiB"], *([f"{sagas:,}", number(mib)] for sagas, mib in resident.items())])


def _original(running: Running) -> Any:
    """Place the order that is copied, and wait until it has ended."""
    saga_id = uuid7()
    running.tail.skip()
    buyer.Buyer(Baskets(1), customer_id=stored_sagas.CUSTOMER).start_order(0, saga_id)
    deadline = time.monotonic() + 60
    while all(record.order != saga_id for record in running.tail.more()):
        if time.monotonic() > deadline:
            raise NoLoad("one order was not placed within 60 s")
        time.sleep(0.02)
    return saga_id
