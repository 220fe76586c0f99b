"""The project's Celery app with one failpoint: the worker kills itself with SIGKILL the n-th time it gets there.

`CRASH_AT` is "<before|after> <failpoint> <subject> <n>", as in `orchestration.failpoints`. `CRASH_BY` may name another
signal: with SIGSTOP the worker freezes. Only tests start this app.
"""

import os
import signal
from typing import Any

from celery import signals

from config.celery import app
from orchestration import failpoints
from orchestration.failpoints import Failpoint

__all__ = ["app"]

SIDE, KIND, SUBJECT, NTH = os.environ["CRASH_AT"].split()
BY = signal.Signals[os.environ.get("CRASH_BY", "SIGKILL")]


class Crash:
    """Ends the process at its failpoint."""

    def __init__(self) -> None:
        self.reached = 0

    def before(self, failpoint: Failpoint) -> None:
        self._reach("before", failpoint)

    def after(self, failpoint: Failpoint) -> None:
        self._reach("after", failpoint)

    def times(self, failpoint: Failpoint) -> int:
        return 1

    def _reach(self, side: str, failpoint: Failpoint) -> None:
        if (side, str(failpoint)) == (SIDE, f"{KIND} {SUBJECT}"):
            self.reached += 1
            if self.reached == int(NTH):
                os.kill(os.getpid(), BY)


@signals.worker_init.connect
def install_failpoint(**_: Any) -> None:
    failpoints.arm(Crash())
