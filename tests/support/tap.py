"""Records what this process sends to PostgreSQL and to the broker; `tests.support.tap_records` reads the records.

For PostgreSQL it uses libpq's own trace of each connection (libpq manual, PQtrace; on Linux only): it shows the traffic
on the wire, whatever psycopg and Django do before. For the broker it writes a line for each of our messages and acks.
"""

import os
from collections.abc import Callable
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any

from amqp import Channel
from django.conf import settings
from django.db import connections
from django.db.backends.signals import connection_created

BROKER = "broker.log"
"""The file with the lines "sent <bytes>" and "acked"."""
POSTGRESQL = "config.postgresql"
TRACE = "trace"
"""The end of the names of connections' files: <alias>.<number>.trace."""


class Tap:
    """Records into a directory of its own, from `start` to `stop`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = count()
        self._traced: list[Any] = []
        self._untapped: dict[str, Any] = {}

    def start(self) -> None:
        """Start recording new connections. For an older one, the text of a statement that is
        prepared already is unknown.
        """
        self._directory.mkdir(exist_ok=True)
        for connection in connections.all():
            _let_go(connection)
        connection_created.connect(self._trace)
        self._tap("basic_publish", self._sent)
        self._tap("_basic_publish", self._sent)  # the method that publishes on a channel in Celery's confirm mode
        self._tap("basic_ack", self._acked)

    def stop(self) -> None:
        """Stop recording and restore the patched methods."""
        connection_created.disconnect(self._trace)
        for connection in self._traced:
            if not connection.closed:
                connection.pgconn.untrace()
        for name, untapped in self._untapped.items():
            setattr(Channel, name, untapped)

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def _trace(self, connection: Any, **_: Any) -> None:
        raw = connection.connection
        if raw in self._traced:
            return
        self._traced.append(raw)
        path = self._directory / f"{connection.alias}.{next(self._numbers)}.{TRACE}"
        raw.pgconn.trace(os.open(path, os.O_WRONLY | os.O_CREAT))  # libpq keeps the file open

    def _tap(self, name: str, listen: Callable[..., None]) -> None:
        untapped = self._untapped[name] = getattr(Channel, name)

        @wraps(untapped)
        def tapped(channel: Any, *args: Any, **kwargs: Any) -> Any:
            listen(*args, **kwargs)
            return untapped(channel, *args, **kwargs)

        setattr(Channel, name, tapped)

    def _sent(self, message: Any, exchange: str = "", **_: Any) -> None:
        """Record the shop's messages only: Celery's remote control has exchanges of its own."""
        if exchange == settings.TOPOLOGY.exchange.name:
            body = message.body.encode() if isinstance(message.body, str) else message.body
            self._write(f"sent {len(message._serialize_properties()) + len(body)}")

    def _acked(self, *_: Any, **__: Any) -> None:
        self._write("acked")

    def _write(self, line: str) -> None:
        descriptor = os.open(self._directory / BROKER, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)


def _let_go(connection: Any) -> None:
    if connection.settings_dict.get("ENGINE") == POSTGRESQL:  # `default` is not one
        connection.close()
        connection.close_pool()
