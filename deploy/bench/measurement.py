"""One measurement of this shop, or all variants in rounds, with processes that are started for it."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connections

from config.databases import parameters_of
from config.env import ALIASES
from deploy.bench import buyer, load, processes, records
from deploy.bench.baskets import Baskets
from deploy.bench.cost import Meter
from deploy.bench.figures import Figures, figures
from deploy.bench.load import LoadEvents, Window
from deploy.bench.processes import Crew, Process
from deploy.bench.records import Tail
from deploy.bench.variants import VARIANTS, Variant

WEB_PROCESSES = 2
WEB_THREADS = 16
"""Threads of each web process, as in `deploy.webserver`, unless more orders are in flight."""


@dataclass(frozen=True)
class Plan:
    """What to measure, with how many workers, SKUs and orders in flight."""

    window: Window
    in_flight: int = 64
    skus: int = 1000
    crew: Crew = field(default_factory=Crew)

    def baskets(self, variant: Variant) -> Baskets:
        """Return what the variant's orders buy."""
        return Baskets(1 if variant.one_sku else self.skus, variant.declined_every)


@dataclass(frozen=True)
class Running:
    """Running workers, and the file in which they record the ends of sagas."""

    workers: Sequence[Process]
    tail: Tail

    def meter(self, **others: Sequence[Process]) -> Meter:
        """Return the meter of the databases, these workers and other processes, by part."""
        parts = {"workers": self.workers, **others}
        roots = {process.pid: part for part, members in parts.items() for process in members}
        return meter(roots)


def one_round(plan: Plan, names: Sequence[str]) -> Iterator[tuple[str, Figures]]:
    """Measure the variants one after another, on workers started for this round."""
    base: float | None = None
    with running_workers(plan.crew) as running:
        for name in names:
            measured = measure(plan, VARIANTS[name], running, base_per_second=base)
            if name == "base":
                base = measured.orders_per_second
            yield name, measured


@contextmanager
def running_workers(crew: Crew) -> Iterator[Running]:
    """Run workers for the length of the block."""
    with records.new_file() as file, processes.workers(crew, file) as workers:
        yield Running(workers, Tail(file))


def measure(plan: Plan, variant: Variant, running: Running, *, base_per_second: float | None = None) -> Figures:
    """Measure one variant."""
    connections.close_all()  # this thread's: the pool is small, and the threads that start orders need its connections
    if variant.over_http:
        return figures(_over_http(plan, variant, running))
    return figures(
        load.drive(
            buyer.Buyer(plan.baskets(variant)),
            variant.arrivals(in_flight=plan.in_flight, base_per_second=base_per_second),
            tail=running.tail,
            window=plan.window,
            look=running.meter().read,
        )
    )


def meter(roots: Mapping[int, str]) -> Meter:
    """Return the meter of the configured databases."""
    names = [str(connections[alias].settings_dict["NAME"]) for alias in ALIASES]
    return Meter(parameters_of("orchestration"), names, dict(roots))


def _over_http(plan: Plan, variant: Variant, running: Running) -> LoadEvents:
    baskets, port = plan.baskets(variant), processes.free_port()
    threads = max(WEB_THREADS, plan.in_flight)  # all orders may wait, on whichever process has their connection
    with ExitStack() as shop:
        token = shop.enter_context(buyer.on_sale(baskets.skus))
        file = shop.enter_context(records.new_file())
        serving = shop.enter_context(processes.web(port, WEB_PROCESSES, threads, plan.crew.environment))
        command = _shoppers(port, token, plan.in_flight, baskets, file)
        shopping = shop.enter_context(processes.running([command], {}))
        tail = Tail(file)
        look = running.meter(web=serving, client=shopping).read
        happened = load.watch(tail=tail, window=plan.window, look=look)
        processes.end(shopping)
        load.drain(happened, tail, plan.window)
        return happened


def _shoppers(port: int, token: str, in_flight: int, baskets: Baskets, file: Path) -> list[str]:
    counts = ("--port", str(port), "--in-flight", str(in_flight), "--skus", str(baskets.skus))
    return [sys.executable, "-m", "deploy.bench.shopper", *counts, "--token", token, "--records", str(file)]
