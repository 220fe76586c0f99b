"""A server of our own: started on a private port and directory, killed and restarted at will."""

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
    """One server on 127.0.0.1, in a directory of its own, whose every process is ours to kill."""

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
        """Where clients connect."""

    @abstractmethod
    def _launch(self) -> None:
        """Spawn the processes, after making what they need on disk when it is not there."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether a client is let in now."""

    @property
    def log(self) -> Path:
        """What the server printed."""
        return self.directory / "server.log"

    def start(self) -> Self:
        """Start it and wait until it lets clients in. :raises ServerFailed: with the end of its log."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._launch()
        try:
            wait_until(self._is_decided, seconds=START_TIMEOUT_SECONDS, what=f"start of {self.kind}")
        except TookTooLong as error:
            self.kill()
            raise ServerFailed(f"{error}\n{self._end_of_log()}") from error
        return self

    def stop(self) -> None:
        """Shut it down in an orderly way, or kill it if it does not obey; its data stay."""
        self.resume()
        stop_trees(self.processes, self.stop_signal)
        self._reap()

    def kill(self) -> None:
        """Kill -9 all its processes at once; its data stay as they were at that moment."""
        kill_trees(self.processes)
        self._reap()

    def restart(self) -> Self:
        """Start it again, stopped first if it runs: same port, same data."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        for process in self._everything():
            process.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after a pause."""
        for process in self._everything():
            process.send(signal.SIGCONT)

    def wipe(self) -> None:
        """Throw its data away; the next start begins empty. Call it only while stopped."""
        shutil.rmtree(self.directory)

    def close(self) -> None:
        """Stop it and remove what it left on disk."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def release(self) -> None:
        """Let its processes live on when this one ends."""
        for child in self._children:
            child.returncode = 0  # Popen warns about a child that it was not seen to wait for
        self._children = []

    def is_running(self) -> bool:
        """Tell whether all its processes are alive."""
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
