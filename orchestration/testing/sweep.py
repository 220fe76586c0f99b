"""Runs every path of a saga definition with every fault at every failpoint, one or two faults at a time."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations, islice
from typing import Any

from django.test import override_settings

from orchestration import failpoints
from orchestration.failpoints import Failpoint
from orchestration.models import SagaLogEntry
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Kind
from orchestration.testing.fakes import Fake
from orchestration.testing.faults import FITTING, Fault, Plan
from orchestration.testing.invariants import violations
from orchestration.testing.paths import Path, paths
from orchestration.testing.simulation import Scenario, Stuck, World


class Unsafe(AssertionError):
    """The saga does not survive a fault; the message says which, on which path, and what was broken."""


@dataclass(frozen=True)
class Case:
    """One run: the faults, the saga's end, and the violations."""

    path: str
    faults: tuple[Fault, ...]
    end: str
    broken: tuple[str, ...]
    fired: int
    crossed: tuple[Failpoint, ...] = field(repr=False, default=())

    def __str__(self) -> str:
        return f"{self.path}; {' and '.join(map(str, self.faults)) or 'no fault'}: {'; '.join(self.broken)}"


@dataclass
class Sweep:
    """The results of a sweep: the number of runs, and the ends of the sagas by failpoint."""

    definition: str
    paths: int = 0
    runs: int = 0
    unfired: int = 0
    """Runs in which a fault did not happen, because an earlier fault of the pair changed the path."""
    ends: dict[str, Counter[str]] = field(default_factory=dict)
    """Failpoint to end to number of runs."""
    broken: list[Case] = field(default_factory=list)

    def add(self, case: Case) -> None:
        """Count a run."""
        self.runs += 1
        self.paths += not case.faults
        self.unfired += case.fired < len(case.faults)
        for fault in case.faults:
            self.ends.setdefault(fault.failpoint, Counter())[case.end] += 1
        if case.broken:
            self.broken.append(case)


def sweep(
    saga: Saga, request: Any, fakes: Mapping[str, Fake] | None = None, *, every_nth_pair: int | None = None
) -> Sweep:
    """Run the saga once per fault at each failpoint: killed before and after, reply lost, duplicated, lost, late.

    `request` is a request of the definition. `fakes` configures by step the answers of actions, and which steps are
    external. With `every_nth_pair`, every nth pair of faults of a path is run, too: 1 means all pairs.

    :raises Unsafe: when a run does not end as it should, or an effect did not happen exactly once.
    :raises ValueError: when `fakes` names a step that the definition lacks.
    :raises TypeError: when a fake's answer has another type than the action's answers.
    """
    _check_fakes(saga, fakes or {})
    found = Sweep(saga.name)
    with simulated():
        for case in _cases(saga, request, fakes or {}, every_nth_pair):
            found.add(case)
    if found.broken:
        raise Unsafe("\n".join([f"{len(found.broken)} of {found.runs} runs", *map(str, found.broken[:20])]))
    return found


@contextmanager
def simulated() -> Iterator[None]:
    """Allow faults in this process within the block, and disable logging there."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with override_settings(FAULT_POINTS=True):
            yield
    finally:
        logging.disable(disabled)


def run(saga: Saga, request: Any, fakes: Mapping[str, Fake], path: Path, faults: Sequence[Fault]) -> Case:
    """Run one saga on this path with these faults."""
    plan = Plan(faults)
    world = World([Scenario(saga, request)], fakes, plan)
    broken: list[str] = []
    with failpoints.armed(plan):
        path.before(world)
        saga_id = world.place(path.script())
        path.meanwhile(world, saga_id)
        try:
            world.run_until_ended()
        except Stuck as error:
            broken.append(str(error))
    broken += violations(world)
    instance = world.store.sagas[saga_id]
    code = (instance.failure or {}).get("code")
    if not path.ends_well(instance.phase, code if faults else None):
        broken.append(f"it is {instance.phase}, to be {path.end}{_last_failure(world.store.log[saga_id])}")
    return Case(path.name, tuple(faults), instance.phase, tuple(broken), len(plan.fired), tuple(plan.crossed))


def _check_fakes(saga: Saga, fakes: Mapping[str, Fake]) -> None:
    if unknown := sorted(fakes.keys() - saga.by_name.keys()):
        raise ValueError(f"{saga.name} has no step {', '.join(unknown)}")
    for name, fake in fakes.items():
        expected = saga.by_name[name].action.answer or type(None)
        if not (callable(fake.answer) or fake.answer is None or isinstance(fake.answer, expected)):
            raise TypeError(f"{name} answers {expected.__name__}, its fake {type(fake.answer).__name__}")


def _last_failure(log: Sequence[SagaLogEntry]) -> str:
    """Return which step failed last and with what error, to follow a sentence; nothing when no step failed."""
    for entry in reversed(log):
        if entry.kind == Kind.FAILED and "message" in entry.detail:
            return f"; {entry.step} failed: {entry.detail['class']}: {entry.detail['message']}"
    return ""


def _cases(saga: Saga, request: Any, fakes: Mapping[str, Fake], every_nth_pair: int | None) -> Iterator[Case]:
    """Run each path without faults. If all of them end as they should, run each path with each fault."""
    found = paths(saga, fakes, saga.skipped_for(request))
    undisturbed = [(path, run(saga, request, fakes, path, ())) for path in found]
    yield from (case for _, case in undisturbed)
    if any(case.broken for _, case in undisturbed):
        return
    for path, case in undisturbed:
        faults = list(_faults_at(case.crossed))
        for fault in faults:
            yield run(saga, request, fakes, path, [fault])
        if every_nth_pair:
            for pair in islice(combinations(faults, 2), 0, None, every_nth_pair):
                yield run(saga, request, fakes, path, pair)


def _faults_at(crossed: Sequence[Failpoint]) -> Iterator[Fault]:
    times: Counter[str] = Counter()
    for failpoint in crossed:
        name = str(failpoint)
        times[name] += 1
        for kind in FITTING[failpoint.kind]:
            yield Fault(name, kind, times[name])
