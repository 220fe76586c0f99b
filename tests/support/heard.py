"""What a tap has written down, counted."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from operator import add, le
from pathlib import Path

from orchestration.db import clocks
from tests.support.tap import BROKER, TRACE

SANDBOXES = ("carrier", "gateway")
"""Their databases stand for the other side: to a shop, what they are asked is a call over HTTP."""

_RECORD = re.compile(r"^(?=\d{4}-\d\d-\d\d [\d:.]+\t[FB]\t)", re.MULTILINE)
_PARSE = re.compile(r' "([^"]*)" "(.*)" \d+', re.DOTALL)
_BIND = re.compile(r' "[^"]*" "([^"]*)"')


@dataclass(frozen=True)
class Statement:
    """One that was run, and when, as libpq writes times."""

    at: str
    text: str

    def begins(self, *words: str) -> bool:
        return self.text.startswith(words)


Trip = list[Statement]
"""What was run before an answer was waited for."""


@dataclass(frozen=True)
class Asked:
    """What was asked of a database."""

    statements: int = 0
    """BEGIN and COMMIT are some, too."""
    round_trips: int = 0
    """Without those that only prepare a statement: each connection does that once."""
    commits: int = 0
    """COMMITs, and round trips that write outside of a transaction."""

    def __add__(self, other: "Asked") -> "Asked":
        return Asked(*map(add, astuple(self), astuple(other)))

    def is_within(self, limit: "Asked") -> bool:
        """Whether none of it is more."""
        return all(map(le, astuple(self), astuple(limit)))


@dataclass(frozen=True)
class Heard:
    """What one process has said: its round trips by database, the bytes of each message, how many acks."""

    trips: Mapping[str, Sequence[Trip]] = field(repr=False)
    sent: Sequence[int]
    acks: int

    @property
    def databases(self) -> dict[str, Asked]:
        """What was asked of each, by alias."""
        return {alias: _asked(trips) for alias, trips in sorted(self.trips.items())}

    @property
    def in_all(self) -> Asked:
        """What was asked of the shop's own databases."""
        return sum((asked for alias, asked in self.databases.items() if alias not in SANDBOXES), Asked())

    def statements(self) -> list[tuple[str, str]]:
        """Alias and beginning of each, in order."""
        run = [(each.at, alias, each.text) for alias, trips in self.trips.items() for trip in trips for each in trip]
        return [(alias, " ".join(text.split())[:100]) for _, alias, text in sorted(run)]

    def table(self, title: str) -> str:
        """All figures, a line each."""
        own = [row for row in self.databases.items() if row[0] not in SANDBOXES]
        others = [row for row in self.databases.items() if row[0] in SANDBOXES]
        lines = [
            f"{name:13} {asked.statements:10}  {asked.round_trips:11}  {asked.commits:7}"
            for name, asked in [*own, ("in all", self.in_all), *others]
        ]
        messages = f"messages: {len(self.sent)} of {sum(self.sent)} bytes, acks: {self.acks}"
        return "\n".join([f"{title:13} statements  round trips  commits", *lines, messages])


def heard(directory: Path) -> Heard:
    """Read a tap's directory; its process has ended, or the tap is closed."""
    trips = defaultdict[str, list[Trip]](list)
    for path in directory.glob(f"*.{TRACE}"):
        trips[path.name.partition(".")[0]] += (trip for trip in _trips(path.read_text()) if not _reads_the_clock(trip))
    broker = directory / BROKER
    lines = broker.read_text().splitlines() if broker.exists() else []
    sent = [int(line.removeprefix("sent ")) for line in lines if line.startswith("sent ")]
    return Heard(trips, sent, lines.count("acked"))


def _reads_the_clock(trip: Trip) -> bool:
    """Whether it only does that: a process does it every few seconds, whatever the number of orders."""
    return [statement.text for statement in trip] == [clocks.READ]


def _asked(trips: Sequence[Trip]) -> Asked:
    """All in order, connection after connection, and each ends outside of a transaction."""
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
    return Asked(sum(map(len, trips)), len(trips), commits)


def _trips(trace: str) -> Iterator[Trip]:
    """What was run in each round trip of a connection."""
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
