"""Fewer system calls a message on a connection of py-amqp's. Each lets go of the interpreter, and has to get it back.

py-amqp asks the socket three times for each frame, a message is three frames, and each frame goes out by itself. A
`link` is an open `amqp.Connection`; other brokers' connections are left as they are.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from amqp.exceptions import RecoverableConnectionError

CHUNK = 16 * 1024
"""Bytes asked for at once. With more, more is moved along as frame after frame is taken from it."""


def read_ahead(link: Any) -> None:
    """Have the link take whatever has arrived, not only the next bytes that are wanted.

    py-amqp keeps what is beyond them for the next read. Whoever waits for the socket before reading asks `has_more`.
    """
    transport: Any = getattr(link, "transport", None)
    receive: Callable[[int], bytes] | None = getattr(transport, "_quick_recv", None)
    if receive is not None:
        transport._quick_recv = lambda wanted: receive(max(wanted, CHUNK))


def has_more(link: Any) -> bool:
    """Whether something was read that nobody has looked at."""
    return bool(getattr(getattr(link, "transport", None), "_read_buffer", b""))


def drain(link: Any) -> None:
    """Take in all that has arrived, without waiting for more.

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
    """Bound each write in the block, whatever bounds the link was opened with."""
    having_timeout = getattr(getattr(link, "transport", None), "having_timeout", None)
    with having_timeout(seconds) if having_timeout else nullcontext():
        yield


@contextmanager
def corked(link: Any) -> Iterator[None]:
    """Keep what is sent back until the end, then send it in one piece. For one thread at a time."""
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
