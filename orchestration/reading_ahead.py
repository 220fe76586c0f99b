"""Fewer system calls to read a message: py-amqp asks the socket three times a frame, and a message is three frames."""

from collections.abc import Callable
from typing import Any

CHUNK = 16 * 1024
"""Bytes asked for at once. More costs more to move along as frame after frame is taken from it."""


def read_ahead(connection: Any) -> None:
    """Have an open kombu connection take whatever has arrived, not only the next bytes that are wanted.

    py-amqp keeps what is beyond them for the next read: this leaves its framing alone. Not for an event loop that
    waits for the socket to be readable before it looks for a frame. Other brokers' transports are left as they are.
    """
    transport = getattr(connection.connection, "transport", None)
    receive: Callable[[int], bytes] | None = getattr(transport, "_quick_recv", None)
    if receive is not None:
        transport._quick_recv = lambda wanted: receive(max(wanted, CHUNK))  # type: ignore[union-attr]
