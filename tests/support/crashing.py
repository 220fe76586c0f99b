"""The project's Celery app with one crash point: the worker kills itself with SIGKILL the n-th time it gets there.

`CRASH_AT` is "<before|after> <boundary> <subject> <n>", as in `orchestration.failpoints`. `CRASH_BY` may name another
signal: with SIGSTOP the worker freezes. Only tests start this app.
"""

import os
import signal
from typing import Any

from celery import signals

from config.celery import app
from orchestration import failpoints as boundaries
from orchestration.failpoints import Point

__all__ = ["app"]

SIDE, BOUNDARY, SUBJECT, NTH = os.environ["CRASH_AT"].split()
BY = signal.Signals[os.environ.get("CRASH_BY", "SIGKILL")]


class Crash:
    """Dies at its point."""

    def __init__(self) -> None:
        self.reached = 0

    def before(self, point: Point) -> None:
        self._reach("before", point)

    def after(self, point: Point) -> None:
        self._reach("after", point)

    def times(self, point: Point) -> int:
        return 1

    def _reach(self, side: str, point: Point) -> None:
        if (side, str(point)) == (SIDE, f"{BOUNDARY} {SUBJECT}"):
            self.reached += 1
            if self.reached == int(NTH):
                os.kill(os.getpid(), BY)


@signals.worker_init.connect
def lay_the_point(**_: Any) -> None:
    boundaries.arm(Crash())
