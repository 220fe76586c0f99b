"""`manage.py replay_orders`, through both doors, with a real server and a real worker."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from kombu import Connection

from config.env import ALIASES
from orchestration.topology import Topology

ROOT = Path(__file__).parents[2]
SLICE = ROOT / "tests" / "data" / "online_retail.csv"
DEADLINE_S = 60


@dataclass(frozen=True)
class Shop:
    """A shop of its own: databases, queues, a server at `url` and a worker."""

    environment: dict[str, str]
    url: str

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def replay(self, *arguments: str) -> dict[str, Any]:
        """Replay the slice; what the report says."""
        done = self.manage("replay_orders", str(SLICE), "--format", "json", "--concurrency", "4", *arguments)
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    logs = tmp_path_factory.mktemp("replay")
    prefix = f"replay_test_{os.getpid()}"
    own = {
        "SHOP_DEBUG": "true",
        "SHOP_DATABASE_PREFIX": f"{prefix}_",
        "SHOP_QUEUE_PREFIX": f"{prefix}.",
        "SHOP_DATABASE_POOL_SIZE": "4",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.endswith("_DATABASE_URL")}
    topology = Topology(prefix=own["SHOP_QUEUE_PREFIX"], queue_type="classic")
    port = _free_port()
    here = Shop(inherited | own, f"http://127.0.0.1:{port}")
    with _scratch(own["SHOP_DATABASE_PREFIX"], topology):
        created = here.manage("migrate", "--create", "--verbosity", "0")
        assert created.returncode == 0, created.stderr
        queues = ",".join(queue.name for queue in topology.queues)
        worker = ["celery", "-A", "config", "worker", "-P", "threads", "-c", "4", "-Q", queues, "-l", "INFO"]
        web = ["gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4", "--no-control-socket"]
        with _running(here, worker, logs / "worker.log") as log, _running(here, web, logs / "web.log"):
            _wait_for(lambda: " ready." in log.read_text(), "the worker")
            _wait_for(lambda: _answers(f"{here.url}/healthz"), "the server")
            yield here


def test_a_file_replayed_through_both_doors_is_placed_once_and_to_the_penny(shop: Shop) -> None:
    by_http = shop.replay("--url", shop.url)
    assert by_http["invoices"] == {"read": 32, "placed": 23, "refused": 0, "undecided": 0, "nothing_to_order": 9}
    assert by_http["lines"] == {"read": 926, "ordered": 909, "skipped": 17}
    assert by_http["total_minor"]["file"] == 1_443_910
    assert by_http["total_minor"]["placed"] + by_http["total_minor"]["skipped"] == 1_443_910
    assert by_http["agrees"]

    by_engine = shop.replay("--via", "engine")
    assert by_engine["total_minor"] == by_http["total_minor"]
    assert _ask(shop, "orders", "SELECT count(*), sum(total_minor)::bigint FROM orders_order") == (
        23,
        by_http["total_minor"]["placed"],
    )
    assert _ask(shop, "orders", "SELECT max(position) + 1 FROM orders_orderline") == (591,)
    assert _ask(shop, "orchestration", "SELECT count(*) FROM knox_authtoken") == (0,)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["no-such-file.csv"], "no-such-file.csv"),
        ([str(ROOT / "tests" / "data" / "NOTICE")], "no column InvoiceNo"),
        ([str(SLICE), "--url", "http://127.0.0.1:1"], "http://127.0.0.1:1 answers nothing"),
        ([str(SLICE), "--concurrency", "0"], "'0' is not a whole number above zero"),
    ],
)
def test_what_cannot_be_replayed_is_named_in_one_line(shop: Shop, arguments: list[str], complaint: str) -> None:
    done = shop.manage("replay_orders", *arguments)
    assert done.returncode != 0
    assert complaint in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@contextmanager
def _running(shop: Shop, command: list[str], log: Path) -> Iterator[Path]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=shop.environment, stdout=output, stderr=output
        )
        try:
            yield log
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _scratch(database_prefix: str, topology: Topology) -> Iterator[None]:
    """Leave no database and no queue behind."""
    try:
        yield
    finally:
        with _server("postgres") as server:
            for alias in ALIASES:
                server.execute(f"DROP DATABASE IF EXISTS {database_prefix}{alias} WITH (FORCE)")
        with Connection(settings.CELERY_BROKER_URL) as broker, broker.channel() as channel:
            for queue in (*topology.queues, topology.dead_letter_queue):
                channel.queue_delete(queue.name)
            for exchange in (topology.exchange, topology.dead_letter_exchange):
                channel.exchange_delete(exchange.name)


def _server(database: str) -> "psycopg.Connection[Any]":
    parameters = connections["orders"].get_connection_params()
    login = {name: parameters[name] for name in ("host", "port", "user", "password") if parameters.get(name)}
    return psycopg.connect(**login, dbname=database, autocommit=True)


def _ask(shop: Shop, alias: str, question: str) -> Any:
    with _server(shop.environment["SHOP_DATABASE_PREFIX"] + alias) as database:
        return database.execute(question).fetchone()  # type: ignore[call-overload]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not start"
        time.sleep(0.05)
