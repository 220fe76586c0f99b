"""Checks of the workers: they answer, and their clocks agree with this host's."""

from collections.abc import Iterator

from config.doctor.databases import DO, SKEW_BORNE
from config.doctor.lines import Line, fail, ok
from orchestration.messaging.worker_ping import present
from orchestration.operators.insight.sources import Unavailable, read


def look() -> Iterator[Line]:
    """Check the workers. Yield one line about all of them, and one for each whose clock differs."""
    found = read("the broker", present)
    if isinstance(found, Unavailable):
        yield fail("workers", f"could not be queried: {found.why}", "see the broker")
        return
    if not found:
        yield fail("workers", "no worker answers", "start them (make up); see their logs if they should be running")
        return
    yield ok("workers", f"{len(found)} answer: {', '.join(worker.name for worker in found)}")
    for worker in found:
        if abs(worker.ahead) > SKEW_BORNE:
            seen = f"{worker.ahead.total_seconds():+.1f} s beside this host's"
            yield fail(f"clock of {worker.name}", seen, DO)
