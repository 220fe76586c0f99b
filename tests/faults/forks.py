"""The zygote and its children, for use by tests."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from celery import current_app

from deploy.servers.processes import ProcessId
from tests.faults.plan import Files
from tests.support.processes import ROOT, environment
from tests.support.wait import wait_for

QUICK: Mapping[str, str] = {
    "SHOP_PRESUMED_LOST_SECONDS": "2",
    "SHOP_RECOVERY_PERIOD_SECONDS": "0.1",
    "SHOP_BREAKER_FAIL_MAX": "100000",
    "SHOP_LOG_LEVEL": "WARNING",
}
"""Lost messages are detected soon. The wave's faults open no breaker, or its sagas would wait for each other."""

_numbers = count(1)


@dataclass(frozen=True)
class Child:
    """A forked worker or client."""

    process: ProcessId
    name: str

    def is_alive(self) -> bool:
        """Return whether it still runs."""
        return self.process.is_alive()

    def is_idle(self) -> bool:
        """Return whether the child, if it is a worker, holds no message."""
        with current_app.connection_for_read() as connection:
            inspect = current_app.control.inspect([self.name], timeout=2, limit=1, connection=connection)
            held = [inspect.active() or {}, inspect.reserved() or {}]
        return all(self.name in reply and not reply[self.name] for reply in held)

    def end(self, sent: signal.Signals) -> None:
        """Signal it and wait for its end."""
        self.process.send(sent)
        wait_for(lambda: not self.is_alive(), what=f"the end of {self.name}")


class Zygote:
    """The process that forks clients, and workers on these queues."""

    def __init__(self, queues: Sequence[str], env: Mapping[str, str]) -> None:
        self._queues = queues
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.faults.zygote"],
            cwd=ROOT,
            env={**os.environ, **environment(), **QUICK, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def fork(self, do: str, files: Files, **order: Any) -> Child | None:
        """Start a child. Return None when it has ended already."""
        name = f"{do}{next(_numbers)}@sweep{os.getpid()}"
        order |= {"do": do, "name": name, "directory": str(files.directory), "queues": self._queues}
        order["log"] = str(files.directory / f"{do}.log")
        assert self._process.stdin
        print(json.dumps(order), file=self._process.stdin, flush=True)
        try:
            return Child(ProcessId.of(int(self._answer())), name)
        except ProcessLookupError:
            return None

    def close(self) -> None:
        """Stop the zygote and its children."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()

    def _answer(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()
