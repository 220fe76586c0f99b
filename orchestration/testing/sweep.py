"""Every fault at every failpoint of every path of a saga definition, one by one or two at a time."""

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
from orchestration.protocol.saga import Saga
from orchestration.testing.fakes import Fake
from orchestration.testing.faults import FITTING, Fault, Plan
from orchestration.testing.invariants import violations
from orchestration.testing.paths import Path, paths
from orchestration.testing.simulation import Stuck, World


class Unsafe(AssertionError):
    """The saga does not survive a fault; the message says which, on which path, and what was broken."""


@dataclass(frozen=True)
class Case:
    """One run: what was done to the saga, what it came to, and what was broken."""

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
    """What a sweep found: how many runs, and by failpoint what the sagas came to."""

    definition: str
    paths: int = 0
    runs: int = 0
    unfired: int = 0
    """Runs whose fault never came to pass, because an earlier one of the pair changed the way."""
    ends: dict[str, Counter[str]] = field(default_factory=dict)
    """Point to end to how often."""
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
    """Run the saga once per fault at each failpoint: killed before and after, reply lost, doubled, lost, late.

    `request` is one of the definition's requests; `fakes` says by step what an action answers, and which steps are
    carried out outside. With `every_nth_pair` also two faults of a path together: 1 is all pairs.

    :raises Unsafe: when a run does not end, or an effect happened not exactly once.
    :raises ValueError: when `fakes` names a step that the definition lacks.
    """
    if unknown := sorted(set(fakes or {}) - set(saga.by_name)):
        raise ValueError(f"{saga.name} has no step {', '.join(unknown)}")
    found = Sweep(saga.name)
    with simulated():
        for case in _cases(saga, request, fakes or {}, every_nth_pair):
            found.add(case)
    if found.broken:
        raise Unsafe("\n".join([f"{len(found.broken)} of {found.runs} runs", *map(str, found.broken[:20])]))
    return found


@contextmanager
def simulated() -> Iterator[None]:
    """Allow faults in this process for a while, and keep what is logged of them to yourself."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with override_settings(FAULT_POINTS=True):
            yield
    finally:
        logging.disable(disabled)


def run(saga: Saga, request: Any, fakes: Mapping[str, Fake], path: Path, faults: Sequence[Fault]) -> Case:
    """One run of one saga on this path with these faults."""
    plan = Plan(faults)
    world = World(saga, request, fakes, plan)
    broken: list[str] = []
    with failpoints.armed(plan):
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
        broken.append(f"it is {instance.phase}, to be {path.end}")
    return Case(path.name, tuple(faults), instance.phase, tuple(broken), len(plan.fired), tuple(plan.crossed))


def _cases(saga: Saga, request: Any, fakes: Mapping[str, Fake], every_nth_pair: int | None) -> Iterator[Case]:
    """Each path as it is; then, if all of them ended as they should, each path with each fault."""
    undisturbed = [(path, run(saga, request, fakes, path, ())) for path in paths(saga, fakes)]
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
