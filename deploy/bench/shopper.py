"""`python -m deploy.bench.shopper`: places orders over HTTP, several at a time, and records how each ended.

It uses one thread and bare sockets, because the client shares the machine with the shop that is measured.
"""

import argparse
import json
import selectors
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from itertools import count
from pathlib import Path
from uuid import UUID, uuid4

from deploy.bench.baskets import ADDRESS, Baskets
from deploy.bench.records import EventKind, Record, Recorder

PATIENCE_S = 10
"""The longest wait for the outcome that a request asks for, in seconds."""
CHUNK = 65536
LOOKS_UP_AFTER_S = 0.2
STATUSES = {"confirmed": EventKind.COMPLETED, "failed": EventKind.COMPENSATED}


class HungUp(Exception):
    """The shop has closed the connection, as a web process does when it is renewed."""


class Reply:
    """One response while it is being received."""

    def __init__(self) -> None:
        self._received = b""

    def feed(self, chunk: bytes) -> bool:
        """Add a chunk and return whether the response is complete."""
        self._received += chunk
        head, end, body = self._received.partition(b"\r\n\r\n")
        return bool(end) and len(body) >= int(_header(head, b"content-length") or 0)

    def what(self) -> EventKind:
        """Return how the order ended: the outcome in a response with status 200, else UNDECIDED."""
        head, _, body = self._received.partition(b"\r\n\r\n")
        if head.split(b" ", 2)[1] != b"200":
            return EventKind.UNDECIDED
        return STATUSES.get(json.loads(body)["status"], EventKind.UNDECIDED)

    def is_last(self) -> bool:
        """Return whether the shop closes the connection after this response."""
        return _header(self._received.partition(b"\r\n\r\n")[0], b"connection").lower() == b"close"


class Shopper:
    """Places one order after another over one persistent connection."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._head = (
            "POST /api/v1/checkouts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: Token {token}\r\nPrefer: wait={PATIENCE_S}\r\n"
        )
        self.order = UUID(int=0)
        self._request = b""
        self._reply = Reply()
        self.connect()

    def connect(self) -> None:
        """Open a new connection."""
        self.socket = socket.create_connection(("127.0.0.1", self._port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def order_anew(self, body: str) -> Record:
        """Place an order under a new key."""
        self.order = uuid4()
        keyed = f"{self._head}Idempotency-Key: {self.order}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        self._request = keyed.encode()
        at = time.time()
        self.send()
        return Record(self.order, EventKind.STARTED, at)

    def send(self) -> None:
        """Send the order. A second call sends the same order again."""
        self._reply = Reply()
        with suppress(ConnectionError):  # the next read of the socket finds it closed
            self.socket.sendall(self._request)

    def receive(self) -> Record | None:
        """Receive what has arrived. Return the record of the order's end if the response is complete.

        :raises HungUp: when the shop has closed the connection.
        """
        try:
            chunk = self.socket.recv(CHUNK)
        except ConnectionError as error:
            raise HungUp from error
        if not chunk:
            raise HungUp
        return Record(self.order, self._reply.what(), time.time()) if self._reply.feed(chunk) else None

    def reply_was_last(self) -> bool:
        """Return whether the shop closes the connection after the current response."""
        return self._reply.is_last()


class Shoppers:
    """All shoppers of this process, in one thread."""

    def __init__(self, shoppers: list[Shopper], baskets: Baskets, recorder: Recorder) -> None:
        self._recorder = recorder
        self._bodies = _bodies(baskets)
        self._selector = selectors.DefaultSelector()
        for shopper in shoppers:
            self._selector.register(shopper.socket, selectors.EVENT_READ, shopper)
        self._stopped = False

    def stop(self) -> None:
        """Stop placing orders."""
        self._stopped = True

    def shop(self) -> None:
        """Place orders continuously until `stop` is called, then wait for the last responses."""
        for key in list(self._selector.get_map().values()):
            self._next(key.data)
        while self._selector.get_map():
            for key, _ in self._selector.select(LOOKS_UP_AFTER_S):
                self._hear(key.data)

    def _hear(self, shopper: Shopper) -> None:
        try:
            record = shopper.receive()
        except HungUp:
            self._reconnect(shopper)
            shopper.send()
            return
        if record is not None:
            self._recorder.add([record])
            if shopper.reply_was_last():
                self._reconnect(shopper)
            self._next(shopper)

    def _next(self, shopper: Shopper) -> None:
        if self._stopped:
            self._selector.unregister(shopper.socket)
            shopper.socket.close()
            return
        self._recorder.add([shopper.order_anew(next(self._bodies))])

    def _reconnect(self, shopper: Shopper) -> None:
        self._selector.unregister(shopper.socket)
        shopper.socket.close()
        shopper.connect()
        self._selector.register(shopper.socket, selectors.EVENT_READ, shopper)


def main() -> None:
    """Place orders until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--port", "--in-flight", "--skus"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--records", type=Path, required=True)
    asked = parser.parse_args()
    shoppers = [Shopper(asked.port, asked.token) for _ in range(asked.in_flight)]
    everybody = Shoppers(shoppers, Baskets(asked.skus), Recorder(asked.records))
    signal.signal(signal.SIGTERM, lambda *_: everybody.stop())
    everybody.shop()


def _bodies(baskets: Baskets) -> Iterator[str]:
    for number in count():
        yield json.dumps(
            {
                "lines": [{"sku": baskets.sku(number), "quantity": 1}],
                "shipping_address": asdict(ADDRESS),
                "payment_method": baskets.card(number),
            }
        )


def _header(head: bytes, wanted: bytes) -> bytes:
    """Return the value of a header, or an empty value if it is absent."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == wanted:
            return value.strip()
    return b""


if __name__ == "__main__":
    main()
