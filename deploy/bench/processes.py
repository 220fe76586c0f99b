"""Worker and web processes that run for the length of a measurement."""

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn
from urllib.error import URLError
from urllib.request import urlopen

from django.conf import settings

from config.celery import app

READY_WITHIN_S = 60.0
ENDS_WITHIN_S = 30.0
LOOPBACK = "127.0.0.1"
PROJECT = Path(__file__).resolve().parents[2]
INSTANT = {
    "SHOP_PAYMENT_GATEWAY": "deploy.bench.instant.InstantGateway",
    "SHOP_CARRIER": "deploy.bench.instant.InstantCarrier",
}

Process = subprocess.Popen[bytes]


class NotReady(Exception):
    """A process ended, or was not ready in time."""


@dataclass(frozen=True)
class Crew:
    """The number of workers, the threads of each, and the changes to their environment."""

    workers: int = 1
    threads: int = 8
    environment: Mapping[str, str] = field(default_factory=lambda: INSTANT)


@contextmanager
def workers(crew: Crew, records: Path) -> Iterator[list[Process]]:
    """Run workers for the length of the block. They consume every queue and record the ends of sagas."""
    before = _consumers()
    commands = [_worker(number, crew.threads, records) for number in range(crew.workers)]
    with running(commands, crew.environment, ready=lambda: _consumers() >= before + crew.workers) as processes:
        yield processes


@contextmanager
def web(port: int, count: int, threads: int, environment: Mapping[str, str]) -> Iterator[list[Process]]:
    """Serve the shop on a local port for the length of the block, as `deploy.webserver` configures it."""
    command = [sys.executable, "-m", "gunicorn", "config.wsgi", "-c", "python:deploy.webserver"]
    sized = {"WEB_CONCURRENCY": str(count), "WEB_THREADS": str(threads)}
    bound = {"WEB_BIND": f"{LOOPBACK}:{port}", "SHOP_ALLOWED_HOSTS": LOOPBACK}
    with running([command], {**environment, **sized, **bound}, ready=lambda: _answers(port)) as processes:
        yield processes


@contextmanager
def running(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str], *, ready: Callable[[], bool] = lambda: True
) -> Iterator[list[Process]]:
    """Run commands for the length of the block, which begins when they are ready.

    :raises NotReady: when one ends or is not ready in time, with the end of what it printed.
    """
    changes = [
        f"{name}={value}"
        for name, value in {"SHOP_LOG_LEVEL": "WARNING", "SHOP_AUDIT_PERIOD_SECONDS": "0", **environment}.items()
    ]
    with tempfile.TemporaryFile() as log:
        processes = [
            subprocess.Popen(["env", *changes, *command], cwd=PROJECT, stdout=log, stderr=log) for command in commands
        ]
        try:
            _wait_until(ready, processes, log)
            yield processes
        finally:
            end(processes)


def end(processes: Sequence[Process]) -> None:
    """Stop the processes with SIGTERM, and kill those that do not end in time."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + ENDS_WITHIN_S
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Raise KeyboardInterrupt in the block on SIGTERM, so that everything it started is stopped as after Ctrl-C."""

    def leave(signum: int, _: Any) -> NoReturn:
        sys.exit(128 + signum)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def free_port() -> int:
    """Pick a local port on which no process listens now."""
    with socket.create_server((LOOPBACK, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _worker(number: int, threads: int, records: Path) -> list[str]:
    queues = ",".join(queue.name for queue in settings.TOPOLOGY.queues)
    command = [sys.executable, "-m", "celery", "-A", "deploy.bench.app", "worker", "-Q", queues, "-P", "threads"]
    manners = ["-c", str(threads), "-n", f"bench{number}@%h", "--without-gossip", "--without-mingle"]
    return [*command, *manners, "--records", str(records)]


def _wait_until(ready: Callable[[], bool], processes: Sequence[Process], log: IO[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not ready():
        ended = any(process.poll() is not None for process in processes)
        if ended or time.monotonic() > deadline:
            log.seek(0)
            reported = log.read().decode(errors="replace")[-2000:]
            raise NotReady(f"{'ended at once' if ended else 'not ready'}: {processes[0].args!r}\n{reported}")
        time.sleep(0.1)


def _consumers() -> int:
    channel: Any
    with app.connection_for_write() as connection, connection.channel() as channel:
        counted: int = channel.queue_declare(settings.TOPOLOGY.queues[-1].name, passive=True).consumer_count
        return counted


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://{LOOPBACK}:{port}/healthz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
