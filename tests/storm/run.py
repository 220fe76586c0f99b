"""A backlog built up without workers, and how recovery and the workers process it: how often each step is executed."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from orchestration.engine import recovery
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.protocol.states import ENDED, Kind
from tests.support.shop import Shop

REFUSED_EVERY = 25
"""The carrier refuses one order in so many, which then has to be compensated."""

CALLS_TAKE = 0.005
"""Seconds of each call to gateway or carrier, so that calls pile up, too."""

OVERTAKEN = 0.05
"""The share of the sagas under way at a refusal that may end before its compensation does."""


@dataclass(frozen=True)
class Plan:
    """The number of orders, placed while no worker runs, and how long the workers stay down."""

    sagas: int
    down: timedelta
    patience: timedelta
    calls_take: float = CALLS_TAKE
    workers: int = 1


@dataclass(frozen=True)
class Found:
    """The result. `executions` counts only steps, `steps` is how many must be executed."""

    accepted: int
    ends: dict[str, int]
    executions: int
    steps: int
    by_task: dict[str, float]
    """Executions per step, by task."""
    sent: float
    """Dispatches per saga."""
    compensation: timedelta
    """The time from a refusal to the end of its compensations: the slowest of the first refused orders."""
    drained: timedelta
    """The time from the workers' start to the last saga's end."""
    went_before: float
    """The share of the sagas under way at a refusal that ended before its compensation did: the largest among the first
    refused orders. It is near 1 if compensations wait behind the backlog, however fast the machine is.
    """

    @property
    def executions_per_step(self) -> float:
        return self.executions / self.steps


def run(plan: Plan, start_worker: Callable[[dict[str, str]], Any]) -> Found:
    """Place the orders while recovery runs, start the workers, and wait until all sagas have ended."""
    with tempfile.NamedTemporaryFile() as counted:
        saga_ids = [Shop().place(line2=_line2(number)) for number in range(plan.sagas)]
        _look_after_them(plan.down)
        for _ in range(plan.workers):
            start_worker({"COUNT_IN": counted.name, "CALLS_TAKE": str(plan.calls_take)})
        began = time.monotonic()
        _wait_for_the_end(plan)
        drained = timedelta(seconds=time.monotonic() - began)
        return _found(saga_ids, Path(counted.name).read_text(), drained)


def _line2(number: int) -> str:
    return "carrier_refuse" if number % REFUSED_EVERY == 0 else ""


def _look_after_them(down: timedelta) -> None:
    """Run recovery, as an orchestrator does while no worker runs."""
    until = time.monotonic() + down.total_seconds()
    while time.monotonic() < until:
        recovery.run_once()
        time.sleep(0.2)


def _wait_for_the_end(plan: Plan) -> None:
    until = time.monotonic() + plan.patience.total_seconds()
    unfinished = SagaInstance.objects.exclude(phase__in=list(ENDED))
    while left := unfinished.count():
        if time.monotonic() > until:
            raise AssertionError(f"{left} of {plan.sagas} sagas have not ended after {plan.patience}")
        time.sleep(0.5)


def _found(saga_ids: list[UUID], counted: str, drained: timedelta) -> Found:
    executed = Counter(tuple(line.split()[1:]) for line in counted.splitlines())
    steps = {each: times for each, times in executed.items() if not each[0].startswith("orchestration.")}
    executions: Counter[str] = Counter()
    for (task, _), times in steps.items():
        executions[task] += times
    sagas_of_task = Counter(task for task, _ in steps)
    sagas = SagaInstance.objects.in_bulk(saga_ids)
    refused = list(_first_refused(saga_ids))
    ended_at = [saga.ended_at for saga in sagas.values() if saga.ended_at]
    return Found(
        accepted=len(sagas),
        ends=dict(Counter(saga.phase for saga in sagas.values())),
        executions=sum(steps.values()),
        steps=len(steps),
        by_task={task: executions[task] / count for task, count in sagas_of_task.items()},
        sent=sum(saga.token for saga in sagas.values()) / len(sagas),
        compensation=max(until - since for since, until in refused),
        drained=drained,
        went_before=max(_went_before(since, until, ended_at) for since, until in refused),
    )


def _first_refused(saga_ids: list[UUID]) -> Iterator[tuple[datetime, datetime]]:
    """Yield when each of the first quarter of the orders was refused and compensated: then the backlog was long."""
    first = saga_ids[: max(1, len(saga_ids) // 4)]
    kinds = (Kind.REFUSED, Kind.COMPENSATED)
    entries = SagaLogEntry.objects.filter(saga__in=first, kind__in=kinds).values_list("saga", "kind", "at")
    at = {(saga, kind): when for saga, kind, when in entries}
    return ((at[saga, Kind.REFUSED], at[saga, Kind.COMPENSATED]) for saga, kind in at if kind == Kind.REFUSED)


def _went_before(since: datetime, until: datetime, ended_at: list[datetime]) -> float:
    under_way = [at for at in ended_at if at > since]
    return sum(at < until for at in under_way) / len(under_way)
