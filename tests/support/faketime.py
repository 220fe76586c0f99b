"""Processes whose host has a wrong clock: libfaketime (Debian package faketime) in front of the C library."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.packages import LIBFAKETIME
from tests.support.processes import ROOT, environment

AHEAD, BEHIND = "+3600s", "-3600s"
FASTER = "+0 x1.5"
"""Half an hour ahead after an hour."""

_ALWAYS = {"PYTHONPATH": str(Path(__file__).with_name("wrong_clock")), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
"""Where only the clock that people set is wrong, uptime is right, and so are waits."""


def wrong_clock(offset: str) -> dict[str, str]:
    """What gives a process that clock, as libfaketime writes it: "+3600s", or "+0 x1.5" for one that runs faster."""
    return {"LD_PRELOAD": str(LIBFAKETIME.path()), "FAKETIME": offset, **_ALWAYS}


def run_python(source: str, *, offset: str, env: Mapping[str, str] | None = None) -> str:
    """Run a program in a process of that clock, against this test run's databases and queues; give what it prints.

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
