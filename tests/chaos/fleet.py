"""The shop's own processes in a chaos run: web and workers, started again whenever they end."""

import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from deploy.servers.ports import LOOPBACK, free_port
from deploy.servers.processes import ProcessId, kill_trees, tree
from orchestration.messaging.topology import ORCHESTRATOR, SERVICES, compensations_queue
from tests.chaos.servers import ROOT, Servers
from tests.support.faketime import RIGHT, clean_up_after, clock_in, set_clock

EVERYTHING = (ORCHESTRATOR, *SERVICES, *(compensations_queue(service) for service in SERVICES))
ROLES = {"worker1": EVERYTHING, "worker2": EVERYTHING, "worker3": (ORCHESTRATOR, *EVERYTHING[5:])}
LOOK_SECONDS = 0.2


@dataclass
class Member:
    """One process and how it is started."""

    name: str
    command: list[str]
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0

    @property
    def id(self) -> ProcessId:
        """:raises ProcessLookupError: when it does not run now."""
        if self.process is None or self.process.poll() is not None:
            raise ProcessLookupError(self.name)
        return ProcessId.of(self.process.pid)


class Fleet:
    """Keeps its members running until it is closed."""

    def __init__(self, servers: Servers, directory: Path) -> None:
        self._servers, self._directory = servers, directory
        self.web_port = free_port()
        self.members = {name: Member(name, _worker(name, servers.topology.prefix)) for name in ROLES}
        self.members["web"] = Member("web", [_bin("gunicorn"), "config.wsgi", "-c", "python:deploy.webserver"])
        self._closed = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="fleet", daemon=True)

    @property
    def workers(self) -> list[Member]:
        return [self.members[name] for name in ROLES]

    @property
    def web_url(self) -> str:
        return f"http://{LOOPBACK}:{self.web_port}"

    def start(self) -> None:
        """Start every member, and the thread that restarts them."""
        for name in self.members:
            self.set_clock(name, RIGHT)
        self._keeper.start()

    def signal(self, name: str, signum: int) -> ProcessId:
        """Send a signal to a member and all its processes. :raises ProcessLookupError: when it does not run."""
        member = self.members[name].id
        for process in tree(member):
            process.send(signum)
        return member

    def set_clock(self, name: str, offset: str) -> None:
        """Set the clock of a member's host, in libfaketime's format. It stays set when the member restarts."""
        set_clock(self._clock_of(name), offset)

    def log(self, name: str) -> str:
        """Return what a member has logged so far, under all its pids."""
        return self._log_of(name).read_text(errors="replace")

    def close(self) -> None:
        """Stop all members at once."""
        self._closed.set()
        self._keeper.join()
        running = [member.process for member in self.members.values() if member.process]
        kill_trees([ProcessId.of(process.pid) for process in running if process.poll() is None])
        for process in running:
            process.wait()
            clean_up_after(process.pid)

    def _keep(self) -> None:
        while not self._closed.is_set():
            for member in self.members.values():
                if member.process is None or member.process.poll() is not None:
                    self._launch(member)
            self._closed.wait(LOOK_SECONDS)

    def _launch(self, member: Member) -> None:
        if member.process is not None:
            clean_up_after(member.process.pid)
        environment = self._servers.environment(application=member.name) | {
            "WEB_BIND": f"{LOOPBACK}:{self.web_port}",
            "WEB_CONCURRENCY": "1",
            **clock_in(self._clock_of(member.name)),
        }
        with self._log_of(member.name).open("ab") as log:
            member.process = subprocess.Popen(
                member.command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        member.starts += 1

    def _log_of(self, name: str) -> Path:
        return self._directory / f"{name}.log"

    def _clock_of(self, name: str) -> Path:
        return self._directory / f"{name}.clock"


def _worker(name: str, prefix: str) -> list[str]:
    queues = ",".join(prefix + queue for queue in ROLES[name])
    command = [
        _bin("celery"),
        "-A",
        "config",
        "worker",
        "-n",
        f"{name}@chaos",
        "-Q",
        queues,
        "-P",
        "threads",
        "-c",
        "4",
    ]
    return [*command, "--without-gossip", "--without-mingle"]


def _bin(program: str) -> str:
    return str(Path(sys.executable).parent / program)
