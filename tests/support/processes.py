"""Real worker processes against the test databases: started, killed and stopped by their own pid."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from urllib.parse import quote, urlencode

from celery import current_app
from django.conf import settings
from django.db import connections

from orchestration.messaging.topology import ORCHESTRATOR, SERVICES, compensations_queue
from tests.environment import RUN
from tests.support.wait import wait_for

ROOT = Path(__file__).resolve().parents[2]
COMPENSATIONS = tuple(compensations_queue(service) for service in SERVICES)
ALL_QUEUES = (ORCHESTRATOR, *SERVICES, *COMPENSATIONS)

LOG_SHOWN = 40_000  # characters

_numbers = count(1)


class Worker:
    """One worker process that consumes some queues. It is ready when the constructor returns."""

    def __init__(
        self,
        queues: Iterable[str] = ALL_QUEUES,
        *,
        threads: int = 4,
        env: Mapping[str, str] | None = None,
        app: str = "config",
        pool: str = "threads",
        options: Iterable[str] = (),
    ) -> None:
        self.queues = [settings.TOPOLOGY.name(queue) for queue in queues]
        self.name = f"worker{next(_numbers)}@{RUN}"
        self.prefetched = threads * settings.CELERY_WORKER_PREFETCH_MULTIPLIER
        """The most messages that it holds."""
        self._output = tempfile.NamedTemporaryFile()  # noqa: SIM115  closed when the worker has ended
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-W", "ignore", "-m", "celery", "-A", app, "worker"),
                *("-Q", ",".join(self.queues), "-P", pool, "-c", str(threads), "-n", self.name),
                *("--without-gossip", "--without-mingle", *options),
            ],
            cwd=ROOT,
            env={**os.environ, **environment(), **(env or {})},
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(self._is_ready, seconds=120, what=f"a worker on {self.queues}")
        except AssertionError:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill the process with SIGKILL, as a crash or the out-of-memory killer would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop the process after it has finished what it runs."""
        self._end(signal.SIGTERM)

    def is_alive(self) -> bool:
        """Return whether the process still runs."""
        return self.process.poll() is None

    def busy_with(self) -> str:
        """Describe the messages that the worker holds. Return an empty text when it holds none."""
        with current_app.connection_for_read() as connection:
            inspect = current_app.control.inspect([self.name], timeout=10, limit=1, connection=connection)
            held = [inspect.active() or {}, inspect.reserved() or {}]
        silent = any(self.name not in reply for reply in held)
        messages = [message for reply in held for message in reply.get(self.name, [])]
        return f"{self.name} {'does not answer' if silent else 'holds'} {messages}" if silent or messages else ""

    def wait_until_dead(self, seconds: float = 120) -> int:
        """Wait until the process ends without a signal of ours, and return its exit code (negative: the signal)."""
        return self.process.wait(timeout=seconds)

    def log(self) -> str:
        """Return its output so far."""
        return Path(self._output.name).read_text()

    def stacks_and_log(self) -> str:
        """Return the current stack of each thread and the end of the log, to show why a test does not progress."""
        before = len(self.log())
        self.process.send_signal(signal.SIGUSR1)  # Celery prints the stacks on this signal
        with suppress(AssertionError):
            wait_for(lambda: "LOCAL VARIABLES" in self.log()[before:], seconds=5)
        return f"--- {self.name}\n{self.log()[-LOG_SHOWN:]}"

    def _end(self, sent: signal.Signals) -> None:
        self._signal_and_wait(sent)
        self._output.close()

    def _signal_and_wait(self, sent: signal.Signals) -> None:
        if self.is_alive():
            self.process.send_signal(sent)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _is_ready(self) -> bool:
        if not self.is_alive():
            raise AssertionError(f"the worker ended with {self.process.returncode}:\n{self.log()}")
        return f"{self.name} ready." in self.log()


def environment() -> dict[str, str]:
    """Return the settings by which a process of the project uses this test run's databases and queues."""
    return {f"SHOP_{alias.upper()}_DATABASE_URL": _url(alias) for alias in settings.DATABASES if alias != "default"} | {
        "SHOP_DEBUG": "true",
        "SHOP_QUEUE_PREFIX": settings.TOPOLOGY.prefix,
        "SHOP_QUEUE_TYPE": settings.TOPOLOGY.queue_type,
        "SHOP_BROKER_URL": current_app.conf.broker_url,
        "SHOP_REDIS_URL": settings.REDIS_URL,
        "SHOP_FAULT_POINTS": "true",
        "SHOP_LOG_LEVEL": "INFO",
        "SHOP_SANDBOX_TIMEOUT_SECONDS": "0.3",
        "SHOP_PRESUMED_LOST_SECONDS": str(settings.PRESUMED_LOST_AFTER.total_seconds()),
        "SHOP_RECOVERY_PERIOD_SECONDS": "0.2",
        "SHOP_AUDIT_PERIOD_SECONDS": "0",
    }


def _url(alias: str) -> str:
    """Return the URL of a database with everything in its options, which works with a socket and any password."""
    at = connections[alias].settings_dict
    place = {name: str(at[name.upper()]) for name in ("user", "password", "host", "port") if at[name.upper()]}
    return f"postgres:///{quote(at['NAME'])}?{urlencode(place, quote_via=quote)}"
