"""Which faults a path is to meet: every one that fits, or a sample in which every kind meets every kind of boundary."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestration.failpoints import Boundary
from orchestration.testing.faults import FITTING, Fault, Kind
from tests.faults.paths import Path

REAL = frozenset(Kind) - {Kind.DELAY, Kind.REORDER}
"""A real broker keeps messages in order; what is late there is what a stopped worker holds."""


@dataclass(frozen=True)
class Case:
    """One saga on one path with one fault, or none."""

    path: Path
    fault: Fault | None = None

    def __str__(self) -> str:
        return f"{self.path.name}; {self.fault or 'no fault'}"


def every_case(crossed: Mapping[Path, Sequence[str]]) -> Iterator[Case]:
    """Every fault at every point that each path was seen to cross."""
    for path, points in crossed.items():
        for point in points:
            for kind in FITTING[_boundary(point)]:
                if kind in REAL:
                    yield Case(path, Fault(point, kind))


def sample(cases: Iterable[Case], *, seed: int) -> list[Case]:
    """One case for every point, and for every kind of fault at every kind of boundary; the same for the same seed."""
    shuffled = sorted(cases, key=str)
    random.Random(seed).shuffle(shuffled)
    chosen: dict[Case, None] = {}
    met: set[tuple[str, str] | str] = set()
    for traits_of in (_kind_at_boundary, _point):
        for case in shuffled:
            if case.fault and traits_of(case.fault) not in met:
                chosen[case] = None
                met |= {_kind_at_boundary(case.fault), _point(case.fault)}
    return list(chosen)


def _boundary(point: str) -> Boundary:
    return Boundary(point.partition(" ")[0])


def _kind_at_boundary(fault: Fault) -> tuple[str, str]:
    return _boundary(fault.point), fault.kind


def _point(fault: Fault) -> str:
    return fault.point
