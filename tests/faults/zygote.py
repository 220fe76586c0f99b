"""A process with everything imported and nothing open, that forks real workers and clients in milliseconds.

It reads orders line by line from its standard input: {"do": "work" | "place" | "cancel", …}. It answers each with the
child's pid.
"""

import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from config.celery import app  # noqa: E402
from orchestration import failpoints  # noqa: E402
from tests.faults import clients  # noqa: E402
from tests.faults.plan import Files, RealFaults  # noqa: E402

PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Serve until the input ends."""
    app.loader.import_default_modules()
    app.finalize()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the kernel
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _live(order)
        print(pid, flush=True)


def _live(order: dict[str, Any]) -> None:
    try:
        _leave_the_zygote(order["log"])
        files = Files(Path(order["directory"]))
        failpoints.arm(RealFaults(files, recording=order["recording"]))
        _DEEDS[order["do"]](files, order)
    except SystemExit:  # Celery ends in this way
        os._exit(0)
    except BaseException:  # nothing may return into the zygote's own loop
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _leave_the_zygote(log: str) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # no process outlives a test that was killed
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


def _work(files: Files, order: dict[str, Any]) -> None:
    queues, name = ("-Q", ",".join(order["queues"])), ("-n", order["name"])
    alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    app.worker_main(["worker", *queues, *name, *alone, "-P", "threads", "-c", "8"])


_DEEDS: dict[str, Callable[[Files, dict[str, Any]], None]] = {
    "work": _work,
    "place": clients.place,
    "cancel": clients.cancel,
}

if __name__ == "__main__":
    main()
