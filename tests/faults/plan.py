"""Faults of real processes: one for each saga, planned in a file, with a line of evidence when it happens."""

import json
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from orchestration.failpoints import Failpoint
from orchestration.testing.faults import Fault, FaultType, lost_reply


@dataclass(frozen=True)
class Files:
    """The files of a wave's plan, and those that its processes write."""

    directory: Path

    @property
    def plan(self) -> Path:
        return self.directory / "plan.json"

    @property
    def evidence(self) -> Path:
        return self.directory / "evidence"

    @property
    def crossings(self) -> Path:
        return self.directory / "crossings"

    def write_plan(self, faults: Mapping[UUID, Fault]) -> None:
        """Write down which saga meets which fault."""
        plan = {str(saga): (fault.failpoint, fault.kind.value) for saga, fault in faults.items()}
        self.plan.write_text(json.dumps(plan))
        self.evidence.touch()
        self.crossings.touch()

    def planned(self) -> dict[UUID, Fault]:
        """Read every saga's planned fault."""
        read = json.loads(self.plan.read_text())
        return {UUID(saga): Fault(failpoint, FaultType(kind)) for saga, (failpoint, kind) in read.items()}

    def fired(self) -> dict[UUID, Fault]:
        """Read the faults that have happened, by saga."""
        lines = (line.split("\t") for line in self.evidence.read_text().splitlines())
        return {UUID(saga): Fault(failpoint, FaultType(kind)) for saga, failpoint, kind, *_ in lines}

    def crossed_by(self, saga_id: UUID) -> list[str]:
        """List every failpoint that this saga's work has crossed, in order, once."""
        lines = (line.split("\t") for line in self.crossings.read_text().splitlines())
        return list(dict.fromkeys(failpoint for saga, failpoint in lines if saga == str(saga_id)))

    def logs(self) -> str:
        """Return the end of the output of each kind of process."""
        return "\n".join(path.read_text()[-3000:] for path in sorted(self.directory.glob("*.log")))


class RealFaults:
    """The faults that are armed in the processes of a wave. Each fault happens once, over all processes and
    restarts.
    """

    def __init__(self, files: Files, *, recording: bool) -> None:
        self._files = files
        self._recording = recording
        self._left = {saga: fault for saga, fault in files.planned().items() if saga not in files.fired()}
        self._lock = threading.Lock()

    def before(self, failpoint: Failpoint) -> None:
        if self._recording:
            self._record(failpoint)
        if self._takes(failpoint, FaultType.KILL_BEFORE):
            os.kill(os.getpid(), signal.SIGKILL)

    def after(self, failpoint: Failpoint) -> None:
        if self._takes(failpoint, FaultType.KILL_AFTER):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._takes(failpoint, FaultType.LOST_REPLY):
            raise lost_reply(failpoint.kind)

    def times(self, failpoint: Failpoint) -> int:
        if self._takes(failpoint, FaultType.DUPLICATE):
            return 2
        return 0 if self._takes(failpoint, FaultType.LOST) else 1

    def _takes(self, failpoint: Failpoint, kind: FaultType) -> bool:
        """Return whether a saga's fault is this one. From then on it counts as happened, whatever
        happens to this process.
        """
        with self._lock:  # two copies of a message may cross in two threads
            saga = next((saga for saga in failpoint.sagas if self._left.get(saga) == Fault(str(failpoint), kind)), None)
            if saga is None:
                return False
            del self._left[saga]
        now = datetime.now(UTC).isoformat()
        _append(self._files.evidence, f"{saga}\t{failpoint}\t{kind}\t{os.getpid()}\t{now}\n", durable=True)
        return True

    def _record(self, failpoint: Failpoint) -> None:
        for saga in failpoint.sagas:
            _append(self._files.crossings, f"{saga}\t{failpoint}\n", durable=False)


def _append(path: Path, line: str, *, durable: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, line.encode())
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
