"""`python -m deploy.bench.shopper`: places orders over HTTP, so many at a time, and writes down how each ended.

One thread and bare sockets: the client shares the machine with the shop, and it is the shop that is measured.
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
from deploy.bench.records import Record, Recorder, What

PATIENCE_S = 10
"""How long the shop is asked to wait for the outcome."""
CHUNK = 65536
LOOKS_UP_AFTER_S = 0.2
STATUSES = {"confirmed": What.COMPLETED, "failed": What.COMPENSATED}


class HungUp(Exception):
    """The shop has closed the connection, as a web process does that is renewed."""


class Reply:
    """One response as it comes in."""

    def __init__(self) -> None:
        self._received = b""

    def feed(self, chunk: bytes) -> bool:
        """Take in what has arrived and tell whether it is whole."""
        self._received += chunk
        head, end, body = self._received.partition(b"\r\n\r\n")
        return bool(end) and len(body) >= int(_header(head, b"content-length") or 0)

    def what(self) -> What:
        """Tell how the order ended: by a 200 with its outcome, or nobody said."""
        head, _, body = self._received.partition(b"\r\n\r\n")
        if head.split(b" ", 2)[1] != b"200":
            return What.UNDECIDED
        return STATUSES.get(json.loads(body)["status"], What.UNDECIDED)

    def is_last(self) -> bool:
        """Tell whether the shop hangs up after this."""
        return _header(self._received.partition(b"\r\n\r\n")[0], b"connection").lower() == b"close"


class Shopper:
    """Places one order after another over one connection that is kept alive."""

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
        """Place an order under a key of its own."""
        self.order = uuid4()
        keyed = f"{self._head}Idempotency-Key: {self.order}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        self._request = keyed.encode()
        at = time.time()
        self.send()
        return Record(self.order, What.STARTED, at)

    def send(self) -> None:
        """Send the order; again, it is the same order."""
        self._reply = Reply()
        with suppress(ConnectionError):  # the next look at the socket finds it closed
            self.socket.sendall(self._request)

    def receive(self) -> Record | None:
        """Take in what has arrived; the record of the order's end when that was all.

        :raises HungUp: when there is no more to come.
        """
        try:
            chunk = self.socket.recv(CHUNK)
        except ConnectionError as error:
            raise HungUp from error
        if not chunk:
            raise HungUp
        return Record(self.order, self._reply.what(), time.time()) if self._reply.feed(chunk) else None

    def reply_was_last(self) -> bool:
        """Tell whether the shop hangs up now."""
        return self._reply.is_last()


class Shoppers:
    """All of them, in one thread."""

    def __init__(self, shoppers: list[Shopper], baskets: Baskets, recorder: Recorder) -> None:
        self._recorder = recorder
        self._bodies = _bodies(baskets)
        self._selector = selectors.DefaultSelector()
        for shopper in shoppers:
            self._selector.register(shopper.socket, selectors.EVENT_READ, shopper)
        self._stopped = False

    def stop(self) -> None:
        """Place no more orders."""
        self._stopped = True

    def shop(self) -> None:
        """Keep all of them busy until they are stopped and have their last replies."""
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
    """Shop until SIGTERM."""
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
    """The value of a header, empty when it is absent."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == wanted:
            return value.strip()
    return b""


if __name__ == "__main__":
    main()
