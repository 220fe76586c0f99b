"""What a measurement costs: CPU time by part, from /proc, and commits, from PostgreSQL."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

TICKS = os.sysconf("SC_CLK_TCK")
SERVERS = {"postgres": "PostgreSQL", "beam.smp": "RabbitMQ", "redis-server": "Redis", "valkey-server": "Redis"}
"""Parts by what /proc calls their processes. All of a kind on this machine count: run nothing else on it."""
OTHERS = "others"
"""The part of all other processes: what they take, the measurement lacks."""
COMMITS = "SELECT coalesce(sum(xact_commit), 0)::bigint FROM pg_stat_database WHERE datname = ANY(%s)"


@dataclass(frozen=True)
class Spent:
    """CPU seconds by part, None where there is no /proc; commits in the databases that were asked about."""

    cpu: Mapping[str, float] | None = None
    commits: int = 0


Owner = tuple[str, int]
"""A part, and the process at the root of this piece of it."""


@dataclass(frozen=True)
class Reading:
    """The counters at one moment: read twice and subtract."""

    cpu: Mapping[Owner, float] | None
    commits: int

    def __sub__(self, earlier: "Reading") -> Spent:
        """Give what was spent since; a server that has ended in between, whose ever it was, is left out."""
        commits = self.commits - earlier.commits
        if self.cpu is None or earlier.cpu is None:
            return Spent(None, commits)
        spent: defaultdict[str, float] = defaultdict(float)
        for owner, seconds in self.cpu.items():
            spent[owner[0]] += max(0.0, seconds - earlier.cpu.get(owner, 0.0))
        return Spent(dict(spent), commits)


@dataclass
class Meter:
    """Reads the counters: commits in `databases` on `server`; each of `roots` is, with its descendants, of a part."""

    server: Mapping[str, Any]
    databases: list[str]
    roots: dict[int, str] = field(default_factory=dict)

    def read(self) -> Reading:
        """Look at all counters."""
        with psycopg.connect(**{**self.server, "dbname": "postgres"}, autocommit=True) as connection:
            row = connection.execute(COMMITS, [self.databases]).fetchone()
        if not Path("/proc/self/stat").exists():
            return Reading(None, row[0] if row else 0)
        return Reading(seconds_by_owner(list(_stats()), self.roots | {os.getpid(): "driver"}), row[0] if row else 0)


@dataclass(frozen=True)
class Stat:
    """What /proc says of a process; `seconds` with those of its children that have ended."""

    pid: int
    name: str
    parent: int
    seconds: float


def seconds_by_owner(stats: Iterable[Stat], roots: Mapping[int, str]) -> dict[Owner, float]:
    """CPU seconds so far of the parts, the servers and all others.

    As ended children count for their parent, a web process that is renewed in between is not lost.
    """
    processes = {stat.pid: stat for stat in stats}
    seconds: defaultdict[Owner, float] = defaultdict(float)
    for process in processes.values():
        seconds[_owner(process, processes, roots)] += process.seconds
    return dict(seconds)


def _owner(process: Stat, processes: Mapping[int, Stat], roots: Mapping[int, str]) -> Owner:
    """A server by its name, as a whole; else the nearest ancestor that is a root."""
    ancestor: Stat | None = process
    if process.name in SERVERS:
        while (parent := processes.get(process.parent)) and parent.name == process.name:
            process = parent
        return SERVERS[process.name], process.pid
    while ancestor is not None:
        if ancestor.pid in roots:
            return roots[ancestor.pid], ancestor.pid
        ancestor = processes.get(ancestor.parent)
    return OTHERS, 0


def _stats() -> Iterator[Stat]:
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            line = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue  # it ended while we looked
        name, _, rest = line.partition("(")[2].rpartition(")")
        fields = rest.split()
        ticks = sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime, proc(5)
        yield Stat(pid, name, int(fields[1]), ticks / TICKS)
