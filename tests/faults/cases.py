"""The faults that each path meets: every one that fits, or a sample of each kind at each kind of failpoint."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestration.failpoints import FailpointKind
from orchestration.testing.faults import FITTING, Fault, FaultType
from tests.faults.paths import Path

REAL = frozenset(FaultType) - {FaultType.DELAY, FaultType.REORDER}
"""A real broker keeps messages in order. The only late messages there are those of a stopped worker."""


@dataclass(frozen=True)
class Case:
    """One saga on one path with one fault, or none."""

    path: Path
    fault: Fault | None = None

    def __str__(self) -> str:
        return f"{self.path.name}; {self.fault or 'no fault'}"


def every_case(crossed: Mapping[Path, Sequence[str]]) -> Iterator[Case]:
    """Yield every fault at every failpoint that each path crosses."""
    for path, points in crossed.items():
        for failpoint in points:
            for kind in FITTING[_kind(failpoint)]:
                if kind in REAL:
                    yield Case(path, Fault(failpoint, kind))


def sample(cases: Iterable[Case], *, seed: int) -> list[Case]:
    """Choose, by the seed, one case for every failpoint and for each kind of fault at each kind of failpoint."""
    shuffled = sorted(cases, key=str)
    random.Random(seed).shuffle(shuffled)
    chosen: dict[Case, None] = {}
    met: set[tuple[str, str] | str] = set()
    for traits_of in (_kinds, _failpoint):
        for case in shuffled:
            if case.fault and traits_of(case.fault) not in met:
                chosen[case] = None
                met |= {_kinds(case.fault), _failpoint(case.fault)}
    return list(chosen)


def _kind(failpoint: str) -> FailpointKind:
    return FailpointKind(failpoint.partition(" ")[0])


def _kinds(fault: Fault) -> tuple[str, str]:
    return _kind(fault.failpoint), fault.kind


def _failpoint(fault: Fault) -> str:
    return fault.failpoint
