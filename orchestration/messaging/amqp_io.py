"""Fewer system calls for each message on a connection of py-amqp. Each call releases the interpreter's lock.

py-amqp reads three times from the socket for each frame. A message is three frames, and py-amqp writes them one by one.
A `link` is an open `amqp.Connection`. Connections of other brokers are not changed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from amqp.exceptions import RecoverableConnectionError

CHUNK = 16 * 1024
"""Bytes to read at once. A larger buffer costs more copying for each frame."""


def read_ahead(link: Any) -> None:
    """Make the link read all bytes that have arrived, not only the next bytes it needs.

    py-amqp keeps the rest for its next read. Check `has_more` before waiting for the socket.
    """
    transport: Any = getattr(link, "transport", None)
    receive: Callable[[int], bytes] | None = getattr(transport, "_quick_recv", None)
    if receive is not None:
        transport._quick_recv = lambda wanted: receive(max(wanted, CHUNK))


def has_more(link: Any) -> bool:
    """Return whether bytes were read that are not processed yet."""
    return bool(getattr(getattr(link, "transport", None), "_read_buffer", b""))


def drain(link: Any) -> None:
    """Process everything that has arrived, without waiting for more.

    :raises OSError: when the link is lost.
    :raises AMQPError: when it was closed.
    """
    if not link.connected:
        raise RecoverableConnectionError("the link is down")
    try:
        while True:
            link.drain_events(timeout=0)
    except (TimeoutError, BlockingIOError, InterruptedError):
        return


@contextmanager
def bounded(link: Any, seconds: float) -> Iterator[None]:
    """Limit each write in the block to so many seconds, whatever limits the link was opened with."""
    having_timeout = getattr(getattr(link, "transport", None), "having_timeout", None)
    with having_timeout(seconds) if having_timeout else nullcontext():
        yield


@contextmanager
def corked(link: Any) -> Iterator[None]:
    """Hold back what the block sends, then write it at once. Only one thread at a time may use this."""
    transport: Any = getattr(link, "transport", None)
    if not hasattr(transport, "_write"):
        yield
        return
    write, kept = transport._write, list[bytes]()
    transport._write = lambda data: kept.append(bytes(data))
    try:
        yield
    finally:
        transport._write = write
        if kept:
            transport.write(b"".join(kept))
