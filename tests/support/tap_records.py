"""Reads and counts what a tap has recorded."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from operator import add, le
from pathlib import Path

from orchestration.db import clocks
from tests.support.tap import BROKER, TRACE

SANDBOXES = ("carrier", "gateway")
"""The databases of the sandboxes. For a shop, a query of them is a call over HTTP."""

_RECORD = re.compile(r"^(?=\d{4}-\d\d-\d\d [\d:.]+\t[FB]\t)", re.MULTILINE)
_PARSE = re.compile(r' "([^"]*)" "(.*)" \d+', re.DOTALL)
_BIND = re.compile(r' "[^"]*" "([^"]*)"')


@dataclass(frozen=True)
class Statement:
    """One executed statement, and its time in libpq's format."""

    at: str
    text: str

    def begins(self, *words: str) -> bool:
        return self.text.startswith(words)


Trip = list[Statement]
"""The statements that were sent before the process waited for an answer."""


@dataclass(frozen=True)
class DatabaseUse:
    """The number of requests to a database."""

    statements: int = 0
    """Includes BEGIN and COMMIT."""
    round_trips: int = 0
    """Without those that only prepare a statement: each connection does that once."""
    commits: int = 0
    """COMMITs, and round trips that write outside of a transaction."""

    def __add__(self, other: "DatabaseUse") -> "DatabaseUse":
        return DatabaseUse(*map(add, astuple(self), astuple(other)))

    def is_within(self, limit: "DatabaseUse") -> bool:
        """Return whether every figure is within the limit's."""
        return all(map(le, astuple(self), astuple(limit)))


@dataclass(frozen=True)
class Recording:
    """What one process sent: its round trips by database, the size of each message in bytes, the number of acks."""

    trips: Mapping[str, Sequence[Trip]] = field(repr=False)
    sent: Sequence[int]
    acks: int

    @property
    def databases(self) -> dict[str, DatabaseUse]:
        """The requests to each database, by alias."""
        return {alias: _asked(trips) for alias, trips in sorted(self.trips.items())}

    @property
    def in_all(self) -> DatabaseUse:
        """The requests to the shop's own databases together."""
        return sum((asked for alias, asked in self.databases.items() if alias not in SANDBOXES), DatabaseUse())

    def statements(self) -> list[tuple[str, str]]:
        """List the alias and the beginning of each statement, in order."""
        run = [(each.at, alias, each.text) for alias, trips in self.trips.items() for trip in trips for each in trip]
        return [(alias, " ".join(text.split())[:100]) for _, alias, text in sorted(run)]

    def table(self, title: str) -> str:
        """Format all figures, one line each."""
        own = [row for row in self.databases.items() if row[0] not in SANDBOXES]
        others = [row for row in self.databases.items() if row[0] in SANDBOXES]
        lines = [
            f"{name:13} {asked.statements:10}  {asked.round_trips:11}  {asked.commits:7}"
            for name, asked in [*own, ("in all", self.in_all), *others]
        ]
        messages = f"messages: {len(self.sent)} of {sum(self.sent)} bytes, acks: {self.acks}"
        return "\n".join([f"{title:13} statements  round trips  commits", *lines, messages])


def read_recording(directory: Path) -> Recording:
    """Read a tap's directory. The process must have ended, or the tap must be stopped."""
    trips = defaultdict[str, list[Trip]](list)
    for path in directory.glob(f"*.{TRACE}"):
        trips[path.name.partition(".")[0]] += (trip for trip in _trips(path.read_text()) if not _reads_the_clock(trip))
    broker = directory / BROKER
    lines = broker.read_text().splitlines() if broker.exists() else []
    sent = [int(line.removeprefix("sent ")) for line in lines if line.startswith("sent ")]
    return Recording(trips, sent, lines.count("acked"))


def _reads_the_clock(trip: Trip) -> bool:
    """Return whether the trip only reads the clock. A process does that every few seconds, however
    many orders there are.
    """
    return [statement.text for statement in trip] == [clocks.READ]


def _asked(trips: Sequence[Trip]) -> DatabaseUse:
    """Count the trips of all connections, one connection after another. Each ends outside of a transaction."""
    commits, is_open = 0, False
    for trip in trips:
        wrote = False
        for statement in trip:
            if statement.begins("BEGIN"):
                is_open = True
            elif is_open:
                commits += statement.begins("COMMIT")
                is_open = not statement.begins("COMMIT", "ROLLBACK") or statement.begins("ROLLBACK TO")
            else:
                wrote = wrote or not statement.begins("SELECT")
        commits += wrote
    return DatabaseUse(sum(map(len, trips)), len(trips), commits)


def _trips(trace: str) -> Iterator[Trip]:
    """Yield the statements of each round trip of a connection."""
    prepared: dict[str, str] = {}
    bound, trip = "", Trip()
    for record in _RECORD.split(trace)[1:]:
        at, side, _, kind, *rest = record.rstrip("\n").split("\t", 4)
        said = "".join(rest)
        match (side, kind):
            case "F", "Query":
                yield [Statement(at, said.strip()[1:-1])]
            case "F", "Parse":
                name, text = _found(_PARSE, said)
                prepared[name] = text
            case "F", "Bind":
                (name,) = _found(_BIND, said)
                bound = prepared[name]
            case "F", "Execute":
                trip.append(Statement(at, bound))
            case ("F", "Sync" | "Flush") if trip:
                yield trip
                trip = []


def _found(pattern: re.Pattern[str], said: str) -> tuple[str, ...]:
    match = pattern.match(said)
    if match is None:
        raise ValueError(f"not as libpq writes it: {said[:100]}")
    return match.groups()
