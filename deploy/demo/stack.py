"""The shop's processes during the demonstration: starts them, kills one, stops all."""

import base64
import hashlib
import json
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.env import PREFIX, SETTINGS
from deploy import supervisor
from deploy.demo import leftovers, servers
from deploy.isolation import FOREIGN, isolated
from deploy.servers.ports import LOOPBACK, free_port, is_free
from deploy.servers.processes import ProcessId, kill_trees, wait_until
from deploy.servers.services import POSTGRES, RABBITMQ
from deploy.servers.started import Register

START_TIMEOUT_SECONDS = 120.0
STOP_TIMEOUT_SECONDS = 45.0
ANSWER_TIMEOUT_SECONDS = 5.0
THREADS = 4


class CommandFailed(Exception):
    """A management command failed. The message is the end of its output."""


@dataclass(frozen=True)
class Kill:
    """A killed worker and the worker that the supervisor started instead."""

    role: str
    killed_pid: int
    restarted_pid: int


class Stack:
    """The servers, databases and supervised processes of one demonstration."""

    def __init__(self, run_directory: Path) -> None:
        self.run_directory = run_directory
        self._register = Register(run_directory)
        self._log = run_directory / "supervisord.log"
        self._exports = run_directory / "environment"
        self._supervisor: subprocess.Popen[bytes] | None = None
        self.environment = _environment(run_directory)
        self.flower_login = self.environment["FLOWER_BASIC_AUTH"]
        self.web_url = self.environment["SHOP_PUBLIC_URL"]
        self.flower_url = self.environment["SHOP_FLOWER_URL"]

    def start_servers(self) -> None:
        """Start PostgreSQL, a broker and Redis, and remove databases and queues of an earlier demonstration."""
        self._register.end_all()
        self._log.unlink(missing_ok=True)
        self.environment |= servers.choose(self._register, os.environ)
        self._drop_databases_and_queues()

    def manage(self, *arguments: str) -> str:
        """Run a management command and return its output. :raises CommandFailed: unless it exits with 0."""
        done = self._run_manage(arguments)
        if done.returncode:
            raise CommandFailed(f"manage.py {arguments[0]}: {(done.stderr or done.stdout)[-2000:]}")
        return done.stdout

    def audit(self, *, parked: Sequence[str]) -> tuple[bool, dict[str, Any]]:
        """Run the audit. Return whether everything agrees, and the report.

        It expects every saga to have ended, except those in `parked`.
        """
        done = self._run_manage(("audit", "--format", "json", *(("--allow-parked", *parked) if parked else ())))
        try:
            return done.returncode == 0, json.loads(done.stdout)
        except json.JSONDecodeError:
            raise CommandFailed(f"manage.py audit: {(done.stderr or done.stdout)[-2000:]}") from None

    def start_processes(self) -> None:
        """Start web, workers, beat and Flower under their supervisor. Wait until all of them run and web answers."""
        supervised = supervisor.programs(
            queue_prefix=self._setting("QUEUE_PREFIX"), threads=THREADS, run_directory=self.run_directory
        )
        command = supervisor.write(supervised, run_directory=self.run_directory)
        with (self.run_directory / "supervisord.out").open("wb") as out:
            self._supervisor = subprocess.Popen(
                command, env=self.environment, stdout=out, stderr=out, start_new_session=True
            )
        wait_until(
            lambda: all(self._is_running(program.name) for program in supervised),
            seconds=START_TIMEOUT_SECONDS,
            what="start of every process",
        )
        # supervisord calls a process running after two seconds. On a busy machine, web does not listen yet.
        wait_until(self._web_answers, seconds=START_TIMEOUT_SECONDS, what=f"an answer of {self.web_url}")

    def write_environment(self) -> Path:
        """Write the environment for `manage.py` on this demonstration, readable by its owner only. `stop` removes it.

        It unsets a shop's own settings, such as its gateway, that the shell may hold.
        """
        known = {PREFIX + name for name in SETTINGS} | {name for name in os.environ if name.startswith(FOREIGN)}
        exports = [
            f"export {name}={shlex.quote(value)}\n"
            for name, value in self.environment.items()
            if name.startswith(FOREIGN) or os.environ.get(name) != value
        ]
        self._exports.touch(mode=0o600)
        self._exports.write_text(f"unset {' '.join(sorted(known - self.environment.keys()))}\n{''.join(exports)}")
        return self._exports

    def kill_worker(self, role: str) -> Kill:
        """Kill a worker with SIGKILL and wait until the supervisor has started another."""
        pids = self._pids(role)
        os.kill(pids[-1], signal.SIGKILL)
        wait_until(
            lambda: len(self._pids(role)) > len(pids),
            seconds=START_TIMEOUT_SECONDS,
            what=f"another {role} worker",
        )
        return Kill(role, killed_pid=pids[-1], restarted_pid=self._pids(role)[-1])

    def stop(self) -> None:
        """Stop everything that this demonstration started and remove what it created elsewhere."""
        self._exports.unlink(missing_ok=True)
        if self._supervisor is not None:
            self._stop_supervisor(self._supervisor)
        try:
            self._drop_databases_and_queues()
        finally:
            self._register.end_all()

    def _stop_supervisor(self, running: "subprocess.Popen[bytes]") -> None:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(timeout=STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            kill_trees([ProcessId.of(running.pid)])
            running.wait()

    def _run_manage(self, arguments: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=supervisor.PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def _drop_databases_and_queues(self) -> None:
        """Remove our databases and queues from servers that we did not start: also those of an
        earlier run that was killed.
        """
        ours = self._register.read()
        if POSTGRES.name not in ours and POSTGRES.variable in self.environment:
            leftovers.drop_databases(self._setting("POSTGRES_URL"), prefix=self._setting("DATABASE_PREFIX"))
        if RABBITMQ.name not in ours and self.environment.get(RABBITMQ.variable, "").startswith("amqp"):
            leftovers.delete_queues(self._setting("BROKER_URL"), prefix=self._setting("QUEUE_PREFIX"))

    def _setting(self, name: str) -> str:
        return self.environment[f"SHOP_{name}"]

    def _read_log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def _is_running(self, name: str) -> bool:
        return f"success: {name} entered RUNNING state" in self._read_log()

    def _web_answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.web_url}/healthz", timeout=ANSWER_TIMEOUT_SECONDS):
                return True
        except OSError:
            return False

    def _pids(self, role: str) -> list[int]:
        return [int(pid) for pid in re.findall(rf"spawned: '{role}' with pid (\d+)", self._read_log())]


def _environment(run_directory: Path) -> dict[str, str]:
    """Return the settings of a demonstration: the environment's servers, with its own names and secrets."""
    checkout = hashlib.sha256(str(run_directory).encode()).hexdigest()[:6]
    web, flower = _port(8000), _port(5555)
    return {
        **isolated(os.environ),
        "SHOP_DEBUG": "false",
        "SHOP_SECRET_KEY": secrets.token_urlsafe(48),
        "SHOP_SEALING_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "SHOP_DATABASE_PREFIX": f"shop_demo_{checkout}_",
        "SHOP_QUEUE_PREFIX": f"demo-{checkout}-",
        "WEB_BIND": f"{LOOPBACK}:{web}",
        "SHOP_PUBLIC_URL": f"http://{LOOPBACK}:{web}",
        "FLOWER_ADDRESS": LOOPBACK,
        "FLOWER_PORT": str(flower),
        "SHOP_FLOWER_URL": f"http://{LOOPBACK}:{flower}",
        "FLOWER_BASIC_AUTH": f"demo:{secrets.token_urlsafe(9)}",
    }


def _port(preferred: int) -> int:
    return preferred if is_free(preferred) else free_port()
