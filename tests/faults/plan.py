"""Faults of real processes: one for each saga, written down beforehand, with a line of evidence when it happens."""

import json
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from orchestration.failpoints import Point
from orchestration.testing.faults import Fault, Kind, lost_reply


@dataclass(frozen=True)
class Files:
    """Where a wave's plan lies, and what its processes leave."""

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
        """Say which saga is to meet which fault."""
        self.plan.write_text(json.dumps({str(saga): (fault.point, fault.kind.value) for saga, fault in faults.items()}))
        self.evidence.touch()
        self.crossings.touch()

    def planned(self) -> dict[UUID, Fault]:
        """Every saga's fault."""
        read = json.loads(self.plan.read_text())
        return {UUID(saga): Fault(point, Kind(kind)) for saga, (point, kind) in read.items()}

    def fired(self) -> dict[UUID, Fault]:
        """The faults that have happened, by saga."""
        lines = (line.split("\t") for line in self.evidence.read_text().splitlines())
        return {UUID(saga): Fault(point, Kind(kind)) for saga, point, kind, *_ in lines}

    def crossed_by(self, saga_id: UUID) -> list[str]:
        """Every point that this saga's work has crossed, in order, once."""
        lines = (line.split("\t") for line in self.crossings.read_text().splitlines())
        return list(dict.fromkeys(point for saga, point in lines if saga == str(saga_id)))

    def logs(self) -> str:
        """The end of what each kind of process has printed."""
        return "\n".join(path.read_text()[-3000:] for path in sorted(self.directory.glob("*.log")))


class RealFaults:
    """What the processes of a wave arm themselves with: each fault happens once, over all their lives."""

    def __init__(self, files: Files, *, recording: bool) -> None:
        self._files = files
        self._recording = recording
        self._left = {saga: fault for saga, fault in files.planned().items() if saga not in files.fired()}
        self._lock = threading.Lock()

    def before(self, point: Point) -> None:
        if self._recording:
            self._record(point)
        if self._takes(point, Kind.KILL_BEFORE):
            os.kill(os.getpid(), signal.SIGKILL)

    def after(self, point: Point) -> None:
        if self._takes(point, Kind.KILL_AFTER):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._takes(point, Kind.LOST_REPLY):
            raise lost_reply(point.boundary)

    def times(self, point: Point) -> int:
        if self._takes(point, Kind.DUPLICATE):
            return 2
        return 0 if self._takes(point, Kind.LOST) else 1

    def _takes(self, point: Point, kind: Kind) -> bool:
        """Whether a saga's fault is this one; from then on it has happened, whatever becomes of this process."""
        with self._lock:  # two copies of a message may cross in two threads
            saga = next((saga for saga in point.sagas if self._left.get(saga) == Fault(str(point), kind)), None)
            if saga is None:
                return False
            del self._left[saga]
        now = datetime.now(UTC).isoformat()
        _append(self._files.evidence, f"{saga}\t{point}\t{kind}\t{os.getpid()}\t{now}\n", durable=True)
        return True

    def _record(self, point: Point) -> None:
        for saga in point.sagas:
            _append(self._files.crossings, f"{saga}\t{point}\n", durable=False)


def _append(path: Path, line: str, *, durable: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, line.encode())
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
