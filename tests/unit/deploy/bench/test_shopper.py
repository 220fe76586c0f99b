"""The client of the measurement over HTTP, as it reads replies."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deploy.bench.baskets import Baskets
from deploy.bench.records import EventKind
from deploy.bench.shopper import HungUp, Reply, Shopper

TOKEN = "token"


def reply(status: str = "200 OK", body: str = '{"status": "confirmed"}', more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n{body}".encode()


def read(received: bytes) -> Reply:
    found = Reply()
    assert found.feed(received)
    return found


def test_a_reply_that_comes_in_pieces_is_whole_with_the_last() -> None:
    found, pieces = Reply(), [reply()[at : at + 1] for at in range(len(reply()))]
    assert [found.feed(piece) for piece in pieces] == [*[False] * (len(pieces) - 1), True]


@pytest.mark.parametrize(
    ("received", "what"),
    [
        (reply(), EventKind.COMPLETED),
        (reply(body='{"status": "failed"}'), EventKind.COMPENSATED),
        (reply(body='{"status": "processing"}'), EventKind.UNDECIDED),
        (reply("202 Accepted", '{"status": "processing"}'), EventKind.UNDECIDED),
        (reply("503 Service Unavailable", "{}"), EventKind.UNDECIDED),
    ],
    ids=["confirmed", "failed", "processing", "accepted only", "too busy"],
)
def test_only_a_200_with_its_outcome_is_a_decided_order(received: bytes, what: EventKind) -> None:
    assert read(received).what() is what


def test_a_shop_that_hangs_up_says_so() -> None:
    assert read(reply(more="Connection: close\r\n")).is_last()
    assert not read(reply(more="Connection: keep-alive\r\n")).is_last()


def test_each_order_has_a_key_of_its_own_and_waits_for_its_outcome() -> None:
    with shop([reply(), reply()]) as (port, heard):
        shopper = Shopper(port, TOKEN)
        orders = []
        for _ in range(2):
            started = shopper.order_anew(json.dumps({}))
            ended = None
            while ended is None:
                ended = shopper.receive()
            assert (started.order, started.what, ended.order) == (shopper.order, EventKind.STARTED, shopper.order)
            assert started.at <= ended.at
            orders.append(started.order)
        shopper.socket.close()
    assert len(set(orders)) == 2
    for order, request in zip(orders, heard, strict=True):
        assert f"Idempotency-Key: {order}\r\n".encode() in request
        assert b"Prefer: wait=10\r\n" in request


def test_an_order_whose_reply_was_cut_off_is_sent_again_under_its_key() -> None:
    with shop([b""]) as (port, heard):
        shopper = Shopper(port, TOKEN)
        shopper.order_anew(json.dumps({}))
        with pytest.raises(HungUp):
            shopper.receive()
    with shop([reply()]) as (port, again):
        shopper.socket.close()
        shopper._port = port
        shopper.connect()
        shopper.send()
        assert shopper.receive() is not None
        shopper.socket.close()
    assert again == heard


def test_every_tenth_card_is_declined() -> None:
    cards = [Baskets(declined_every=10).card(number) for number in range(30)]
    assert [number for number, card in enumerate(cards) if card != "tok_ok"] == [0, 10, 20]
    assert {Baskets().card(number) for number in range(30)} == {"tok_ok"}


@contextmanager
def shop(replies: list[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """A server for one connection that gives these replies, and what it heard."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                for each in replies:
                    heard.append(connection.recv(65536))
                    connection.sendall(each)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], heard
        thread.join(10)
