"""A register on disk of the servers that were started, so that a later call can use or stop them."""

import fcntl
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.servers.private import PrivateServer
from deploy.servers.processes import ProcessId, stop_trees


@dataclass(frozen=True)
class Started:
    """One server that we started: its processes and directory, or its container."""

    url: str
    processes: tuple[ProcessId, ...] = ()
    stop_signal: int = signal.SIGTERM
    directory: str = ""
    container: str = ""

    @classmethod
    def of(cls, server: PrivateServer) -> "Started":
        """Record what another process needs to stop a private server later."""
        return cls(
            url=server.url,
            processes=tuple(server.processes),
            stop_signal=server.stop_signal,
            directory=str(server.directory),
        )

    def is_alive(self) -> bool:
        """Return whether all its processes run. For a container, only its port is checked."""
        return all(process.is_alive() for process in self.processes)

    def end(self) -> None:
        """Stop the server and remove its files."""
        stop_trees(list(self.processes), self.stop_signal)
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)
        if self.container:
            subprocess.run(["docker", "rm", "--force", self.container], capture_output=True, check=False)


class Register:
    """The servers started for one run directory, by service name."""

    def __init__(self, run_directory: Path) -> None:
        self.run_directory = run_directory
        self._file = run_directory / "servers.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the register, so that two concurrent calls do not start every server twice."""
        self.run_directory.mkdir(parents=True, exist_ok=True)
        with (self.run_directory / "servers.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def read(self) -> dict[str, Started]:
        """Return the registered servers, alive or not."""
        if not self._file.exists():
            return {}
        return {name: _decode(entry) for name, entry in json.loads(self._file.read_text()).items()}

    def remember(self, name: str, started: Started) -> None:
        """Add a server and write the register at once: a server that is not in it cannot be stopped later."""
        self._write({**self.read(), name: started})

    def end(self, name: str) -> None:
        """End one server and remove it from the register. Do nothing when none has that name."""
        remaining = self.read()
        if started := remaining.pop(name, None):
            started.end()
            self._write(remaining)

    def end_all(self) -> list[str]:
        """End all registered servers and return their names."""
        names = list(self.read())
        for name in names:
            self.end(name)
        return names

    def _write(self, entries: dict[str, Started]) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps({name: asdict(entry) for name, entry in entries.items()}, indent=1))
        draft.replace(self._file)


def _decode(entry: dict[str, object]) -> Started:
    processes = entry.pop("processes")
    assert isinstance(processes, list)
    return Started(**entry, processes=tuple(ProcessId(**process) for process in processes))  # type: ignore[arg-type]
