"""The target of faults: the servers, their proxies, the processes, and the record of the faults that had an effect."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.servers.processes import TookTooLong, wait_until
from tests.chaos.customers import Responses
from tests.chaos.fleet import Fleet
from tests.chaos.servers import Servers

PATIENCE_SECONDS = 20.0
"""The longest time that a process may take to end after a signal."""


class DidNotTakeHold(Exception):
    """The fault found nothing to act on: it is no evidence."""


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault: its target (never used by two at once) and its action. `strike` returns what had an effect."""

    name: str
    group: str
    target: str
    strike: Callable[["Field", random.Random], str]


@dataclass
class Field:
    """Everything that a fault can affect."""

    servers: Servers
    fleet: Fleet
    heard: Responses
    evidence: Path
    over: threading.Event = field(default_factory=threading.Event)

    def hold(self, seconds: float) -> None:
        """Wait while a fault lasts, but not longer than the run."""
        self.over.wait(seconds)

    def record(self, kind: FaultKind, what: str) -> None:
        """Record one line of evidence. It is on disk before it counts."""
        descriptor = os.open(self.evidence, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(descriptor, f"{time.time():.3f}\t{kind.group}\t{kind.name}\t{what}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def await_death(self, name: str, signum: int) -> str:
        """Signal a member and wait until that process has ended."""
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
        """Stop all workers for a while, so that messages accumulate. Return the names of those that were stopped."""
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
        """Resume these workers."""
        for name in names:
            try:
                self.fleet.signal(name, signal.SIGCONT)
            except ProcessLookupError:
                continue


def some(what: int, name: str) -> str:
    """Format a count and a name.

    :raises DidNotTakeHold: when the count is zero.
    """
    if not what:
        raise DidNotTakeHold(f"no {name}")
    return f"{what} {name}"
