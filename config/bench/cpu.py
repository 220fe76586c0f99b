"""CPU time of the processes that take part, from /proc."""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PARTS = {"postgres": "PostgreSQL", "beam.smp": "RabbitMQ", "redis-server": "Redis", "valkey-server": "Valkey"}


def seconds_by_part(own: set[int]) -> dict[str, float] | None:
    """CPU seconds so far of the servers, of workers, and of the processes in `own`; None where /proc is missing.

    Read it twice and subtract. Processes that end in between are not counted, so start none and stop none.
    """
    if not Path("/proc/self/stat").exists():
        return None
    seconds: defaultdict[str, float] = defaultdict(float)
    for pid in _pids():
        try:
            part = _part(pid, own)
            if part:
                seconds[part] += _seconds(pid)
        except (OSError, IndexError, ValueError):
            continue  # it ended while we looked
    return seconds


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _part(pid: int, own: set[int]) -> str | None:
    if pid in own:
        return "driver"
    command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    if "celery" in " ".join(command[:4]) and "worker" in command:
        return "workers"
    name = Path(f"/proc/{pid}/comm").read_text().strip()
    return PARTS.get(name)


def _seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS  # utime and stime, man 5 proc
