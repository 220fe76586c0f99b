"""Formats a sweep as a table: a row for each failpoint, a column for each end."""

from collections.abc import Iterator

from orchestration.testing.sweep import Sweep


def lines_of(sweep: Sweep) -> Iterator[str]:
    """Yield the lines of the table."""
    ends = sorted({end for counted in sweep.ends.values() for end in counted})
    width = max((len(failpoint) for failpoint in sweep.ends), default=5)
    yield "  ".join(["point".ljust(width), *(end.rjust(12) for end in ends)])
    for failpoint, counted in sweep.ends.items():
        yield "  ".join([failpoint.ljust(width), *(str(counted[end]).rjust(12) for end in ends)])
    yield f"{sweep.runs} runs on {sweep.paths} paths; in {sweep.unfired} of them a fault did not happen"
