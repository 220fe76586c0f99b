"""Where faults happen: the servers, their proxies, the processes, and the record of what took hold."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.servers.processes import TookTooLong, wait_until
from tests.chaos.customers import Heard
from tests.chaos.fleet import Fleet
from tests.chaos.servers import Servers

PATIENCE_SECONDS = 20.0
"""So long a process that was asked to end may take."""


class DidNotTakeHold(Exception):
    """The fault found nothing to do: it is no evidence."""


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault: what it is done to (two at once never share it), and how. `strike` says what took hold."""

    name: str
    group: str
    target: str
    strike: Callable[["Field", random.Random], str]


@dataclass
class Field:
    """Everything a fault can reach."""

    servers: Servers
    fleet: Fleet
    heard: Heard
    evidence: Path
    over: threading.Event = field(default_factory=threading.Event)

    def hold(self, seconds: float) -> None:
        """Let a fault last, but not longer than the run."""
        self.over.wait(seconds)

    def record(self, kind: FaultKind, what: str) -> None:
        """Write one line of evidence, on disk before anybody counts it."""
        descriptor = os.open(self.evidence, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(descriptor, f"{time.time():.3f}\t{kind.group}\t{kind.name}\t{what}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def await_death(self, name: str, signum: int) -> str:
        """Signal a member and wait until that process is gone."""
        try:
            process = self.fleet.signal(name, signum)
        except ProcessLookupError:
            raise DidNotTakeHold(f"{name} does not run") from None
        try:
            wait_until(lambda: not process.is_alive(), seconds=PATIENCE_SECONDS, what=f"end of {name}")
        except TookTooLong:  # a supervisor would do the same
            process.send(signal.SIGKILL)
            return f"{name}, pid {process.pid}, had to be killed"
        return f"{name}, pid {process.pid}, is gone"

    def frozen_workers(self, seconds: float) -> list[str]:
        """Stop all workers for a while, so that messages gather; give those that stood still."""
        stopped = []
        for member in self.fleet.workers:
            try:
                self.fleet.signal(member.name, signal.SIGSTOP)
                stopped.append(member.name)
            except ProcessLookupError:
                continue
        self.hold(seconds)
        return stopped

    def thaw(self, names: list[str]) -> None:
        """Let them go on."""
        for name in names:
            try:
                self.fleet.signal(name, signal.SIGCONT)
            except ProcessLookupError:
                continue


def some(what: int, name: str) -> str:
    """:raises DidNotTakeHold: when there was nothing."""
    if not what:
        raise DidNotTakeHold(f"no {name}")
    return f"{what} {name}"
