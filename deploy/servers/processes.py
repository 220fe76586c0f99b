"""Processes identified by pid and start time, and stopped together with all their descendants."""

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.02
KILL_TIMEOUT_SECONDS = 10.0
STOP_TIMEOUT_SECONDS = 30.0


class TookTooLong(Exception):
    """The condition did not become true within its deadline."""


@dataclass(frozen=True)
class ProcessId:
    """One process, distinguished by its start time from a later one with the same pid."""

    pid: int
    started_ticks: int  # since boot: field 22 of /proc/PID/stat, proc(5)

    @classmethod
    def of(cls, pid: int) -> "ProcessId":
        """Read the identity of a running process. :raises ProcessLookupError: when there is none."""
        stat = _stat(pid)
        if stat is None:
            raise ProcessLookupError(pid)
        return cls(pid, stat.started_ticks)

    def is_alive(self) -> bool:
        """Return whether the process still runs. A process that waits to be reaped does not run."""
        stat = _stat(self.pid)
        return stat is not None and stat.started_ticks == self.started_ticks and stat.state not in "ZX"

    def send(self, signum: int) -> None:
        """Send a signal to the process if it still exists."""
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signum)


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait until a condition is true. :raises TookTooLong: after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TookTooLong(f"{what}: not within {seconds:g} s")
        time.sleep(POLL_SECONDS)


def tree(root: ProcessId) -> list[ProcessId]:
    """List a live process and all its descendants, parents first."""
    if not root.is_alive():
        return []
    children = _children_by_parent()
    found = [root]
    for process in found:
        found.extend(children[process.pid])
    return found


def kill_trees(roots: list[ProcessId]) -> None:
    """Kill processes with all their descendants, so that none of them can leave another behind.

    They are stopped before they are listed: a stopped process starts no child that the list would miss.
    """
    doomed: list[ProcessId] = []
    for root in roots:
        root.send(signal.SIGSTOP)
        doomed += tree(root)
    for process in doomed:
        process.send(signal.SIGKILL)
    _wait_for_end(doomed, seconds=KILL_TIMEOUT_SECONDS)


def stop_trees(roots: list[ProcessId], signum: int) -> None:
    """Signal the processes, the last one first. Then kill those that remain, with their descendants."""
    everything = [member for root in roots for member in tree(root)]
    for root in reversed(roots):
        root.send(signum)
        with suppress(TookTooLong):
            _wait_for_end([root], seconds=STOP_TIMEOUT_SECONDS)
    kill_trees(everything)


def _wait_for_end(processes: list[ProcessId], *, seconds: float) -> None:
    wait_until(
        lambda: not any(process.is_alive() for process in processes),
        seconds=seconds,
        what=f"end of {len(processes)} processes",
    )


@dataclass(frozen=True)
class _Stat:
    state: str
    parent: int
    started_ticks: int


def _stat(pid: int) -> _Stat | None:
    try:
        line = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = line.rpartition(")")[2].split()
    return _Stat(state=fields[0], parent=int(fields[1]), started_ticks=int(fields[19]))


def _children_by_parent() -> defaultdict[int, list[ProcessId]]:
    children: defaultdict[int, list[ProcessId]] = defaultdict(list)
    for pid in _pids():
        stat = _stat(pid)
        if stat is not None and stat.state not in "ZX":
            children[stat.parent].append(ProcessId(pid, stat.started_ticks))
    return children


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit())
