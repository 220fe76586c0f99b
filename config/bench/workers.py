"""Worker processes for the length of a measurement."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from config.celery import app

READY_WITHIN_S = 60


@contextmanager
def running(count: int, threads: int) -> Iterator[None]:
    """Run `count` workers that consume every queue; they end with the block."""
    before = _consumers()
    processes = [_start(number, threads) for number in range(count)]
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while _consumers() < before + count:
            if time.monotonic() > deadline or any(process.poll() is not None for process in processes):
                raise TimeoutError(f"{count} workers were not ready within {READY_WITHIN_S} s")
            time.sleep(0.1)
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _start(number: int, threads: int) -> subprocess.Popen[bytes]:
    queues = ",".join(queue.name for queue in settings.TOPOLOGY.queues)
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-Q", queues, "-P", "threads"]
    manners = ["-c", str(threads), "-n", f"bench{number}@%h", "--without-gossip", "--without-mingle"]
    return subprocess.Popen([*command, *manners], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _consumers() -> int:
    channel: Any
    with app.connection_for_write() as connection, connection.channel() as channel:
        counted: int = channel.queue_declare(settings.TOPOLOGY.queues[-1].name, passive=True).consumer_count
        return counted
