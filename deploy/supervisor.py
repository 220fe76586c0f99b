"""The shop's processes as supervisord programs, and supervisord's configuration file."""

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from orchestration.messaging.topology import ORCHESTRATOR, SERVICES, compensations_queue

BIN = Path(sys.executable).parent
PROJECT = Path(__file__).resolve().parents[1]
FLOWER_CONFIG = "deploy/flower/config.py"

ROLES: dict[str, tuple[str, ...]] = {
    **{service: (service,) for service in SERVICES},
    ORCHESTRATOR: (ORCHESTRATOR,),
    "compensations": tuple(compensations_queue(service) for service in SERVICES),
}
"""The queues, without their prefix, that each role's worker consumes."""


@dataclass(frozen=True)
class Program:
    """One process under supervision."""

    name: str
    command: tuple[str, ...]
    stop_seconds: int = 30  # a worker finishes what it runs


def programs(*, queue_prefix: str, threads: int, run_directory: Path) -> list[Program]:
    """List web, the worker of each role, beat and Flower."""
    celery = (str(BIN / "celery"), "-A", "config")
    return [
        Program("web", (str(BIN / "gunicorn"), "config.wsgi", "-c", "python:deploy.webserver")),
        *(worker(role, queue_prefix=queue_prefix, threads=threads) for role in ROLES),
        Program("beat", (*celery, "beat", "-s", str(run_directory / "beat-schedule"), "--pidfile=")),
        Program("flower", (*celery, "flower", f"--conf={FLOWER_CONFIG}")),
    ]


def worker(role: str, *, queue_prefix: str, threads: int) -> Program:
    """Return the worker of a role. Task events, which Flower needs, are off because they cost; Flower turns them on."""
    queues = ",".join(queue_prefix + queue for queue in ROLES[role])
    return Program(
        role,
        (
            *(str(BIN / "celery"), "-A", "config", "worker", "-n", f"{role}@%h", "-Q", queues),
            *("-P", "threads", "-c", str(threads), "--without-gossip", "--without-mingle"),
        ),
    )


def configuration(supervised: list[Program], *, run_directory: Path) -> str:
    """Return supervisord's configuration. Every process is restarted when it ends and has its own log file."""
    log = run_directory / "supervisord.log"
    head = [
        "[supervisord]",
        "nodaemon = true",
        f"logfile = {_literal(log)}",
        f"pidfile = {_literal(run_directory / 'supervisord.pid')}",
        f"childlogdir = {_literal(run_directory)}",
        *(["user = root"] if os.geteuid() == 0 else []),
    ]
    # One group, because supervisord stops groups one after another, and the members of a group all at once.
    group = ["", "[group:shop]", f"programs = {','.join(program.name for program in supervised)}"]
    sections = [line for program in supervised for line in _section(program, run_directory)]
    return "\n".join([*head, *group, *sections, ""])


def write(supervised: list[Program], *, run_directory: Path) -> list[str]:
    """Write the file and return the command that runs it."""
    run_directory.mkdir(parents=True, exist_ok=True)
    file = run_directory / "supervisord.conf"
    file.write_text(configuration(supervised, run_directory=run_directory))
    return [str(BIN / "supervisord"), "-c", str(file)]


def _section(program: Program, run_directory: Path) -> list[str]:
    return [
        "",
        f"[program:{program.name}]",
        f"command = {_literal(shlex.join(program.command))}",
        f"directory = {_literal(PROJECT)}",
        "autorestart = true",
        "startretries = 1000",
        "startsecs = 2",
        f"stopwaitsecs = {program.stop_seconds}",
        "killasgroup = true",
        "redirect_stderr = true",
        f"stdout_logfile = {_literal(run_directory / f'{program.name}.log')}",
        "stdout_logfile_maxbytes = 10MB",
        "stdout_logfile_backups = 3",
    ]


def _literal(value: str | Path) -> str:
    return str(value).replace("%", "%%")
