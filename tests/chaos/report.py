"""A chaos run's report, as text and as JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from tests.chaos.run import Report


def lines_of(report: Report) -> Iterator[str]:
    """Format the report as lines of text."""
    kinds = len(report.evidence)
    yield f"seed {report.seed}, {report.minutes:g} minutes: {sum(report.evidence.values())} faults of {kinds} kinds"
    for (group, name), times in sorted(report.evidence.items()):
        yield f"  {times:>3}  {group:<20}{name}"
    sagas = sum(report.ends.values())
    yield f"{sagas} sagas: {', '.join(f'{count} {end}' for end, count in sorted(report.ends.items()))}"
    if report.sent:
        yield f"dispatched {sum(report.sent) / len(report.sent):.2f} times each, at most {max(report.sent)}"
    yield f"quiet {report.seconds_to_quiet:.1f} s after the last fault; {report.resumed} resumed by hand"
    yield f"customers heard {report.answers}; refused {report.refused}"
    yield from (f"WRONG  {each}" for each in report.wrong)
    yield "all books agree" if not report.wrong else f"{len(report.wrong)} things are wrong"


def as_json(report: Report) -> str:
    """Format the report as JSON."""
    reported = asdict(report) | {"evidence": {name: times for (_, name), times in report.evidence.items()}}
    return json.dumps(reported, indent=2)
