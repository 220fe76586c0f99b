"""The cost of a measurement: CPU time by part, from /proc, and commits, from PostgreSQL."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

TICKS = os.sysconf("SC_CLK_TCK")
SERVERS = {"postgres": "PostgreSQL", "beam.smp": "RabbitMQ", "redis-server": "Redis", "valkey-server": "Redis"}
"""Parts by the names of their processes in /proc. All such processes on this machine count: run no other servers."""
OTHERS = "others"
"""The part of all other processes. The CPU time that they use is missing from the measurement."""
COMMITS = "SELECT coalesce(sum(xact_commit), 0)::bigint FROM pg_stat_database WHERE datname = ANY(%s)"


@dataclass(frozen=True)
class Spent:
    """CPU seconds by part (None without /proc), and commits in the databases of the meter."""

    cpu: Mapping[str, float] | None = None
    commits: int = 0


Owner = tuple[str, int]
"""A part, and the process at the root of one process tree of it."""


@dataclass(frozen=True)
class Reading:
    """The counters at one moment. Subtract two readings to get what was spent."""

    cpu: Mapping[Owner, float] | None
    commits: int

    def __sub__(self, earlier: "Reading") -> Spent:
        """Return what was spent since the earlier reading. Servers that ended in between are left out."""
        commits = self.commits - earlier.commits
        if self.cpu is None or earlier.cpu is None:
            return Spent(None, commits)
        spent: defaultdict[str, float] = defaultdict(float)
        for owner, seconds in self.cpu.items():
            spent[owner[0]] += max(0.0, seconds - earlier.cpu.get(owner, 0.0))
        return Spent(dict(spent), commits)


@dataclass
class Meter:
    """Reads the counters: commits in `databases` on `server`, and CPU time. `roots` are the parts by root process id.

    The descendants of a root belong to its part.
    """

    server: Mapping[str, Any]
    databases: list[str]
    roots: dict[int, str] = field(default_factory=dict)

    def read(self) -> Reading:
        """Read all counters."""
        with psycopg.connect(**{**self.server, "dbname": "postgres"}, autocommit=True) as connection:
            row = connection.execute(COMMITS, [self.databases]).fetchone()
        if not Path("/proc/self/stat").exists():
            return Reading(None, row[0] if row else 0)
        return Reading(seconds_by_owner(list(_stats()), self.roots | {os.getpid(): "driver"}), row[0] if row else 0)


@dataclass(frozen=True)
class Stat:
    """A process as described in /proc. `seconds` includes its children that have ended."""

    pid: int
    name: str
    parent: int
    seconds: float


def seconds_by_owner(stats: Iterable[Stat], roots: Mapping[int, str]) -> dict[Owner, float]:
    """Sum the CPU seconds so far, by part and root process.

    Ended children count for their parent, so the time of a web process that was renewed in between is included.
    """
    processes = {stat.pid: stat for stat in stats}
    seconds: defaultdict[Owner, float] = defaultdict(float)
    for process in processes.values():
        seconds[_owner(process, processes, roots)] += process.seconds
    return dict(seconds)


def _owner(process: Stat, processes: Mapping[int, Stat], roots: Mapping[int, str]) -> Owner:
    """Return a server's part by its name, as one tree; else the part of the nearest ancestor that is a root."""
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
            continue  # the process ended meanwhile
        name, _, rest = line.partition("(")[2].rpartition(")")
        fields = rest.split()
        ticks = sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime, proc(5)
        yield Stat(pid, name, int(fields[1]), ticks / TICKS)
