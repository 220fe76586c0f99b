"""A sweep as a table: a row for each point, a column for each end."""

from collections.abc import Iterator

from orchestration.testing.sweep import Sweep


def lines_of(sweep: Sweep) -> Iterator[str]:
    """The table, line by line."""
    ends = sorted({end for counted in sweep.ends.values() for end in counted})
    width = max((len(point) for point in sweep.ends), default=5)
    yield "  ".join(["point".ljust(width), *(end.rjust(12) for end in ends)])
    for point, counted in sweep.ends.items():
        yield "  ".join([point.ljust(width), *(str(counted[end]).rjust(12) for end in ends)])
    yield f"{sweep.runs} runs on {sweep.paths} paths; in {sweep.unfired} of them not every fault came to pass"
