"""Real worker processes against the test databases: started, killed and stopped by their own pid."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from celery import current_app
from django.conf import settings
from django.db import connections

from orchestration.topology import ORCHESTRATOR, SERVICES, compensations_queue
from tests.support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
ALL_QUEUES = (ORCHESTRATOR, *SERVICES, *(compensations_queue(service) for service in SERVICES))


class Worker:
    """One worker process consuming some queues, ready when this returns."""

    def __init__(
        self,
        queues: Iterable[str] = ALL_QUEUES,
        *,
        threads: int = 4,
        env: Mapping[str, str] | None = None,
        app: str = "config",
    ) -> None:
        self.queues = [settings.TOPOLOGY.name(queue) for queue in queues]
        self._consumers_before = self._consumers()
        self._output = tempfile.NamedTemporaryFile()  # noqa: SIM115  closed when the worker has ended
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-W", "ignore", "-m", "celery", "-A", app, "worker"),
                *("-Q", ",".join(self.queues), "-P", "threads", "-c", str(threads), "-n", f"test{id(self)}@%h"),
                *("--without-gossip", "--without-mingle"),
            ],
            cwd=ROOT,
            env={**os.environ, **environment(), **(env or {})},
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(self._is_consuming, seconds=60, what=f"a worker on {self.queues}")
        except AssertionError:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL, as a crash or the out-of-memory killer would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Finish what is running, then end."""
        self._end(signal.SIGTERM)

    def wait_until_dead(self, seconds: float = 60) -> int:
        """The exit code of a process that ends by itself (negative: the signal)."""
        return self.process.wait(timeout=seconds)

    def log(self) -> str:
        """What it has printed so far."""
        return Path(self._output.name).read_text()

    def _end(self, sent: signal.Signals) -> None:
        self._signal_and_wait(sent)
        self._output.close()

    def _signal_and_wait(self, sent: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(sent)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _is_consuming(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the worker ended with {self.process.returncode}:\n{self.log()}")
        return self._consumers() > self._consumers_before

    def _consumers(self) -> int:
        with current_app.connection_for_write() as connection, connection.channel() as channel:
            return channel.queue_declare(self.queues[-1], passive=True).consumer_count


def environment() -> dict[str, str]:
    """What a process of the project needs to meet this test run's databases and queues."""
    return {
        f"SHOP_{alias.upper()}_DATABASE_URL": _url(alias) for alias in settings.DATABASES if alias != "default"
    } | {
        "SHOP_DEBUG": "true",
        "SHOP_QUEUE_PREFIX": settings.TOPOLOGY.prefix,
        "SHOP_QUEUE_TYPE": settings.TOPOLOGY.queue_type,
        "SHOP_BROKER_URL": settings.CELERY_BROKER_URL,
        "SHOP_REDIS_URL": settings.REDIS_URL,
        "SHOP_LOG_LEVEL": "INFO",
        "SHOP_PRESUMED_LOST_SECONDS": "2",
        "SHOP_RECOVERY_PERIOD_SECONDS": "0.2",
    }


def delete_queues() -> None:
    """Take this run's queues and exchanges off the broker."""
    with current_app.connection_for_write() as connection, connection.channel() as channel:
        for queue in (*settings.TOPOLOGY.queues, settings.TOPOLOGY.dead_letter_queue):
            channel.queue_delete(queue.name)
        for exchange in (settings.TOPOLOGY.exchange, settings.TOPOLOGY.dead_letter_exchange):
            channel.exchange_delete(exchange.name)


def _url(alias: str) -> str:
    at = connections[alias].settings_dict
    password = f":{at['PASSWORD']}" if at["PASSWORD"] else ""
    return f"postgres://{at['USER']}{password}@{at['HOST']}:{at['PORT']}/{at['NAME']}"
