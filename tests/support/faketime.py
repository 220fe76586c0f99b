"""Processes on a host with a wrong clock: libfaketime (Debian package faketime) in front of the C library."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.packages import LIBFAKETIME
from tests.support.processes import ROOT, environment

AHEAD, BEHIND, RIGHT = "+3600s", "-3600s", "+0s"
FASTER = "+0 x1.5"
"""A clock that is half an hour ahead after an hour."""

_ALWAYS = {
    "PYTHONPATH": str(Path(__file__).with_name("wrong_clock")),
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    "NO_FAKE_STAT": "1",
}
"""Only the wall clock is wrong. Uptime is right, and so are waits and the times of files: gunicorn keeps the uptime of
its workers in one, and Python compiles a module again when its file has another time.
"""
_SHARED = ("faketime_shm_{}", "sem.faketime_sem_{}")


def wrong_clock(offset: str) -> dict[str, str]:
    """Return the environment of a process with a wrong clock. `offset` has libfaketime's format: "+3600s", or "+0 x1.5"
    for
    a clock that runs faster.
    """
    return {"LD_PRELOAD": str(LIBFAKETIME.path()), "FAKETIME": offset, **_ALWAYS}


def clock_in(path: Path) -> dict[str, str]:
    """Return the environment of a process that uses the clock in this file (`set_clock`).

    It reads the file every second: reading it at each question for the time would take twenty times as long.
    """
    read = {"FAKETIME_TIMESTAMP_FILE": str(path), "FAKETIME_CACHE_DURATION": "1"}
    return {"LD_PRELOAD": str(LIBFAKETIME.path()), **read, **_ALWAYS}


def set_clock(path: Path, offset: str) -> None:
    """Set the clock of the processes that read this file."""
    beside = path.with_suffix(".new")
    beside.write_text(f"{offset}\n")
    beside.replace(path)  # atomic, or a process would read half of it


def clean_up_after(pid: int) -> None:
    """Remove what libfaketime leaves of a killed process: the next one with its pid would not start."""
    for name in _SHARED:
        (Path("/dev/shm") / name.format(pid)).unlink(missing_ok=True)


def run_python(source: str, *, offset: str, env: Mapping[str, str] | None = None) -> str:
    """Run a program in a process with that clock, on this test run's databases and queues. Return its output.

    :raises CalledProcessError: when it fails.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", source],
        cwd=ROOT,
        env={**os.environ, **environment(), **wrong_clock(offset), **(env or {})},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout
