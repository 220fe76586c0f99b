"""A private server: started on its own port and directory, and killed and restarted as needed."""

import pwd
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from deploy.servers.ports import free_port
from deploy.servers.processes import (
    ProcessId,
    TookTooLong,
    kill_trees,
    stop_trees,
    tree,
    wait_until,
)

START_TIMEOUT_SECONDS = 60.0

Account = pwd.struct_passwd | None


class ServerFailed(Exception):
    """A private server could not be started."""


class NotInstalled(Exception):
    """The server's program is not on this machine."""


class PrivateServer(ABC):
    """One server on 127.0.0.1, in a directory of its own. All its processes are ours to kill."""

    kind: ClassVar[str]
    stop_signal: ClassVar[int] = signal.SIGTERM

    def __init__(self, directory: Path | None = None, *, port: int | None = None) -> None:
        self.directory = directory or Path(tempfile.mkdtemp(prefix=f"private-{self.kind}-"))
        self.port = port or free_port()
        self._children: list[subprocess.Popen[bytes]] = []
        self.processes: list[ProcessId] = []

    @property
    @abstractmethod
    def url(self) -> str:
        """The server's URL for clients."""

    @abstractmethod
    def _launch(self) -> None:
        """Start the processes. Create what they need on disk if it is missing."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Return whether the server accepts clients now."""

    @property
    def log(self) -> Path:
        """The file of the server's output."""
        return self.directory / "server.log"

    def start(self) -> Self:
        """Start the server and wait until it accepts clients. :raises ServerFailed: with the end of its log."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._launch()
        try:
            wait_until(self._is_decided, seconds=START_TIMEOUT_SECONDS, what=f"start of {self.kind}")
        except TookTooLong as error:
            self.kill()
            raise ServerFailed(f"{error}\n{self._end_of_log()}") from error
        return self

    def stop(self) -> None:
        """Stop the server in an orderly way, or kill it if it does not end in time. Its data stay."""
        self.resume()
        stop_trees(self.processes, self.stop_signal)
        self._reap()

    def kill(self) -> None:
        """Kill all its processes at once (SIGKILL). Its data stay as they were at that moment."""
        kill_trees(self.processes)
        self._reap()

    def restart(self) -> Self:
        """Start the server again with the same port and data. Stop it first if it runs."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """Pause the server: connections stay open, but it does not answer."""
        for process in self._everything():
            process.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume the server after a pause."""
        for process in self._everything():
            process.send(signal.SIGCONT)

    def wipe(self) -> None:
        """Delete its data; the next start begins empty. Call it only while the server is stopped."""
        shutil.rmtree(self.directory)

    def close(self) -> None:
        """Stop the server and remove its files."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def release(self) -> None:
        """Keep its processes running after this process ends."""
        for child in self._children:
            child.returncode = 0  # Popen warns about a child whose end it did not see
        self._children = []

    def is_running(self) -> bool:
        """Return whether all its processes are alive."""
        return bool(self.processes) and all(process.is_alive() for process in self.processes)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spawn(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        account: Account = None,
    ) -> None:
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                [str(part) for part in command],
                cwd=self.directory,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=account and account.pw_uid,
                group=account and account.pw_gid,
                extra_groups=account and [],
            )
        self._children.append(child)
        self.processes.append(ProcessId.of(child.pid))

    def _everything(self) -> list[ProcessId]:
        return [member for process in self.processes for member in tree(process)]

    def _is_decided(self) -> bool:
        if not self.is_running():
            raise ServerFailed(f"{self.kind} ended while it started\n{self._end_of_log()}")
        return self.is_ready()

    def _end_of_log(self) -> str:
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else "(it printed nothing)"

    def _reap(self) -> None:
        for child in self._children:
            child.wait()
        self._children, self.processes = [], []
