"""Peer: the Restate server from npm, and its Python SDK under hypercorn with two workers."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from deploy.bench import processes
from deploy.bench.processes import LOOPBACK, free_port
from deploy.peers import orders, work
from deploy.peers.request import Measure, Place
from deploy.servers.processes import wait_until

WORKERS = 2
READY_WITHIN_S = 60.0
ENDLESS = 2**31 - 1
"""Replaces hypercorn's limits, which would end a long connection."""


@contextmanager
def running(place: Place) -> Iterator[Measure]:
    """Run the server and the service, registered with each other."""
    ingress, admin, node, service = (free_port() for _ in range(4))
    server = [str(program(place.environment)), "--base-dir", str(place.data), "--node-name", "peers"]
    settings = {
        "RESTATE_INGRESS__BIND_ADDRESS": f"{LOOPBACK}:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"{LOOPBACK}:{admin}",
        "RESTATE_BIND_ADDRESS": f"{LOOPBACK}:{node}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://{LOOPBACK}:{node}",
        "RESTATE_LOG_FILTER": "warn",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
    }
    with (
        processes.running([server], settings, ready=lambda: _answers(f"http://{LOOPBACK}:{admin}/health")) as servers,
        processes.running([_hypercorn(place, service)], {}) as workers,
    ):
        wait_until(lambda: _register(admin, service), seconds=READY_WITHIN_S, what="Restate's service")
        roots = {each.pid: "Restate" for each in servers} | {each.pid: "workers" for each in workers}
        yield partial(orders.drive, Ingress(ingress).place, place=place, roots=roots)


class Ingress:
    """Sends orders to the server, over one connection for each thread."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._own = threading.local()

    def place(self, order: work.Order) -> None:
        """Place the order. Return when it is durable: its outcome is not awaited."""
        connection = self._connection()
        connection.request("POST", "/Orders/place/send", json.dumps(order), {"content-type": "application/json"})
        with connection.getresponse() as answer:
            answer.read()
            if answer.status >= 300:
                raise http.client.HTTPException(f"Restate answers {answer.status}")

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection(LOOPBACK, self._port)
        connection: http.client.HTTPConnection = self._own.connection
        return connection


def program(environment: Path) -> Path:
    """Find the server program that npm's wrapper starts.

    :raises FileNotFoundError: when npm has none for this kind of machine.
    """
    packages = environment / "node_modules" / "@restatedev"
    for found in sorted(packages.glob("restate-server-*/bin/restate-server")):
        return found
    raise FileNotFoundError(f"no restate-server in {packages}")


def _hypercorn(place: Place, port: int) -> list[str]:
    settings = place.data / "hypercorn.toml"
    settings.write_text(
        f'bind = "{LOOPBACK}:{port}"\nworkers = {WORKERS}\nh2_max_concurrent_streams = {ENDLESS}\n'
        f"keep_alive_max_requests = {ENDLESS}\nkeep_alive_timeout = {ENDLESS}\n"
    )
    return [place.python, "-m", "hypercorn", "--config", str(settings), "deploy.peers.restate_service:app"]


def _register(admin: int, service: int) -> bool:
    request = urllib.request.Request(
        f"http://{LOOPBACK}:{admin}/deployments",
        data=json.dumps({"uri": f"http://{LOOPBACK}:{service}"}).encode(),
        headers={"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bool(answer.status < 300)
    except (urllib.error.URLError, OSError):
        return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
