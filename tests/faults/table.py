"""The results of a sweep as tables: by failpoint and fault, by path, in all."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from statistics import mean

from orchestration.failpoints import FailpointKind
from orchestration.testing.faults import Fault
from tests.faults.cases import REAL
from tests.faults.wave import Ended

_KINDS = sorted(REAL, key=lambda kind: kind.value)
_ORDER = list(FailpointKind)


def reported(ended: Sequence[Ended], possible: int, took: timedelta) -> str:
    """Format the tables. A cell counts the cases in which the fault happened."""
    kills = sum(each.fired and "kill" in str(each.case.fault) for each in ended)
    return "\n".join(
        [
            *_by_point(ended),
            "",
            *_by_path(ended),
            "",
            f"{len(ended)} of {possible} cases, {sum(each.fired for each in ended)} faults happened, "
            f"{kills} processes killed, {took / timedelta(minutes=1):.1f} minutes",
        ]
    )


def _by_point(ended: Iterable[Ended]) -> Iterator[str]:
    yield f"{'point':<44}" + "".join(f"{kind:>13}" for kind in _KINDS) + "  ended"
    for failpoint, cases in sorted(_grouped(ended, lambda _, fault: fault.failpoint).items(), key=_as_crossed):
        met = Counter(each.case.fault.kind for each in cases if each.fired and each.case.fault)
        yield f"{failpoint:<44}" + "".join(f"{met[kind] or '':>13}" for kind in _KINDS) + f"  {_ends(cases)}"


def _by_path(ended: Iterable[Ended]) -> Iterator[str]:
    yield f"{'path':<44}{'cases':>13}{'dispatched':>13}{'at most':>13}  ended"
    for path, cases in _grouped(ended, lambda each, _: each.case.path.name).items():
        sent = [each.sent for each in cases]
        yield f"{path:<44}{len(cases):>13}{mean(sent):>13.2f}{max(sent):>13}  {_ends(cases)}"


def _grouped(ended: Iterable[Ended], key: Callable[[Ended, Fault], str]) -> dict[str, list[Ended]]:
    groups: defaultdict[str, list[Ended]] = defaultdict(list)
    for each in ended:
        if each.case.fault:
            groups[key(each, each.case.fault)].append(each)
    return groups


def _as_crossed(row: tuple[str, Sequence[Ended]]) -> tuple[int, str]:
    kind, _, subject = row[0].partition(" ")
    return _ORDER.index(FailpointKind(kind)), subject


def _ends(cases: Iterable[Ended]) -> str:
    return ", ".join(f"{times} {end}" for end, times in Counter(each.end for each in cases).most_common())
