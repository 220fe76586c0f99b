"""A real web server on the test databases, and many clients that send requests at the same moment."""

import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from deploy.servers.ports import LOOPBACK, free_port
from tests.support.processes import ROOT, environment
from tests.support.threads import at_once
from tests.support.wait import wait_for

GIVES_UP_AFTER_S = 60


@dataclass(frozen=True)
class Reply:
    """A response, and the seconds until the client had it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


class WebServer:
    """gunicorn as `make up` runs it. It is ready when the constructor returns."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.port = free_port()
        self._output = tempfile.NamedTemporaryFile()  # noqa: SIM115  closed with the server
        bound = {"WEB_BIND": f"{LOOPBACK}:{self.port}", "WEB_CONCURRENCY": "2", "WEB_THREADS": "16"}
        self._process = subprocess.Popen(
            [str(Path(sys.executable).parent / "gunicorn"), "config.wsgi", "-c", "python:deploy.webserver"],
            cwd=ROOT,
            env={**os.environ, **environment(), **bound, **env},
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        wait_for(self._is_ready, seconds=60, what="a web server")

    def ask(self, method: str, path: str, body: str | None = None, /, **headers: str) -> Reply:
        """Send one request over a connection of its own."""
        began = time.monotonic()
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=GIVES_UP_AFTER_S)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read(), time.monotonic() - began)
        finally:
            connection.close()

    def ask_at_once(self, count: int, ask: Callable[[int], Reply]) -> list[Reply]:
        """Send the requests of so many clients at the same moment."""
        return at_once(count, ask)

    @contextmanager
    def probed(self) -> Iterator[list[float]]:
        """Request `/healthz` again and again during the block. Yield the seconds that each response took."""
        seconds: list[float] = []
        over = threading.Event()

        def probe() -> None:
            while not over.is_set():
                reply = self.ask("GET", "/healthz")
                assert reply.status == HTTPStatus.OK
                seconds.append(reply.seconds)
                over.wait(0.05)

        thread = threading.Thread(target=probe, daemon=True)
        thread.start()
        try:
            yield seconds
        finally:
            over.set()
            thread.join()

    def close(self) -> None:
        """Stop the server."""
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()

    def log(self) -> str:
        """Return all its output so far."""
        return Path(self._output.name).read_text()

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"the web server ended with {self._process.returncode}:\n{self.log()}")
        try:
            return self.ask("GET", "/healthz").status == HTTPStatus.OK
        except OSError:
            return False
