"""The figures of a measurement, from the recorded events, and the medians of several rounds: pure."""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from deploy.bench.cost import OTHERS
from deploy.bench.load import LoadEvents
from deploy.bench.records import EventKind, Record

ENDS = {EventKind.COMPLETED: "completed", EventKind.COMPENSATED: "compensated", EventKind.UNDECIDED: "undecided"}


@dataclass(frozen=True)
class Figures:
    """The figures of one measurement, or the medians of several. Latencies are those of completed
    orders, from due time.
    """

    orders: int
    seconds: float
    orders_per_second: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    cpu_ms_per_order: float | None
    cpu_ms_per_order_by_part: Mapping[str, float] | None
    commits_per_order: float | None
    cores_of_others: float | None
    """Average cores used by other processes on this machine. If this is more than a little, measure again."""
    ends: Mapping[str, int]
    unfinished: int
    """Orders without an end when the wait for them was over. Above 0, the other figures mean little."""

    def as_json(self) -> dict[str, Any]:
        """Return the figures as plain values, rounded to their meaningful precision."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


def figures(happened: LoadEvents) -> Figures:
    """Count the orders that ended between begin and end."""
    ended = [record for record in happened.ends.values() if happened.begin <= record.at < happened.end]
    decided = [record for record in ended if record.what is not EventKind.UNDECIDED]
    latencies = sorted(_latencies(decided, happened))
    orders, seconds = len(decided), happened.end - happened.begin
    cpu = dict(happened.spent.cpu or {})
    others = cpu.pop(OTHERS, None)
    return Figures(
        orders=orders,
        seconds=seconds,
        orders_per_second=orders / seconds,
        p50_ms=percentile(latencies, 50),
        p95_ms=percentile(latencies, 95),
        p99_ms=percentile(latencies, 99),
        cpu_ms_per_order=sum(cpu.values()) * 1000 / orders if cpu and orders else None,
        cpu_ms_per_order_by_part={part: used * 1000 / orders for part, used in cpu.items()} if cpu and orders else None,
        commits_per_order=happened.spent.commits / orders if orders else None,
        cores_of_others=None if others is None else others / seconds,
        ends=dict(Counter(ENDS[record.what] for record in ended)),
        unfinished=happened.unfinished(),
    )


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Return the smallest value that `percent` of the values do not exceed (nearest rank). Return
    None if there are none.
    """
    if not ordered:
        return None
    return ordered[min(len(ordered), max(1, -int(-len(ordered) * percent // 100))) - 1]


def medians(rounds: Sequence[Figures]) -> Figures:
    """Return the median of each figure. Orders and ends are sums."""
    return Figures(
        orders=sum(each.orders for each in rounds),
        seconds=sum(each.seconds for each in rounds),
        orders_per_second=statistics.median(each.orders_per_second for each in rounds),
        p50_ms=_median(each.p50_ms for each in rounds),
        p95_ms=_median(each.p95_ms for each in rounds),
        p99_ms=_median(each.p99_ms for each in rounds),
        cpu_ms_per_order=_median(each.cpu_ms_per_order for each in rounds),
        cpu_ms_per_order_by_part=_median_by_part([dict(each.cpu_ms_per_order_by_part or {}) for each in rounds]),
        commits_per_order=_median(each.commits_per_order for each in rounds),
        cores_of_others=_median(each.cores_of_others for each in rounds),
        ends=dict(sum((Counter(each.ends) for each in rounds), Counter())),
        unfinished=sum(each.unfinished for each in rounds),
    )


def _latencies(ended: Iterable[Record], happened: LoadEvents) -> Iterable[float]:
    for record in ended:
        due = happened.due.get(record.order)
        if record.what is EventKind.COMPLETED and due is not None:
            yield (record.at - due) * 1000


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _median_by_part(rounds: Sequence[Mapping[str, float]]) -> dict[str, float] | None:
    parts = dict.fromkeys(part for each in rounds for part in each)
    return {part: statistics.median(each.get(part, 0.0) for each in rounds) for part in parts} or None


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(inner) for name, inner in value.items()}
    return round(value, 3) if isinstance(value, float) else value
