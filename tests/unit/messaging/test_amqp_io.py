"""Fewer system calls a message: nothing is lost, doubled or left lying for it."""

from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from amqp.exceptions import RecoverableConnectionError

from config.celery import Consumer
from orchestration.messaging import amqp_io


class Link:
    """py-amqp's connection, as far as its bytes go: what arrives in pieces, and what was sent."""

    def __init__(self, *arrives: bytes) -> None:
        self.connected = True
        self.asked: list[int] = []
        self.sent: list[bytes] = []
        self.taken: list[bytes] = []
        self._arrives = deque(arrives)
        self.transport = SimpleNamespace(
            _quick_recv=self._receive, _read_buffer=b"", _write=self.sent.append, write=lambda data: self.send(data)
        )

    def send(self, data: bytes) -> None:
        self.transport._write(data)

    def drain_events(self, timeout: float) -> None:
        assert timeout == 0
        if not self._arrives:
            raise TimeoutError
        self.transport._read_buffer = b""
        self.taken.append(self._arrives.popleft())

    def _receive(self, wanted: int) -> bytes:
        self.asked.append(wanted)
        return b"x"


def test_what_has_arrived_is_taken_whole():
    link = Link()
    amqp_io.read_ahead(link)

    link.transport._quick_recv(7)
    link.transport._quick_recv(10 * amqp_io.CHUNK)

    assert link.asked == [amqp_io.CHUNK, 10 * amqp_io.CHUNK]


def test_all_that_has_arrived_is_taken_in():
    link = Link(b"one", b"two", b"three")
    amqp_io.drain(link)

    assert link.taken == [b"one", b"two", b"three"]


def test_a_link_that_was_closed_is_not_waited_for():
    link = Link()
    link.connected = False
    with pytest.raises(RecoverableConnectionError):
        amqp_io.drain(link)


def test_what_is_sent_goes_out_in_one_piece():
    link = Link()
    with amqp_io.corked(link):
        link.send(b"one")
        link.send(memoryview(b"two"))
        assert link.sent == []
    link.send(b"three")

    assert link.sent == [b"onetwo", b"three"]


def test_what_was_sent_before_an_error_goes_out():
    link = Link()

    def send_and_break() -> None:
        with amqp_io.corked(link):
            link.send(b"one")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        send_and_break()

    assert link.sent == [b"one"]


def test_a_buffer_that_is_used_again_does_not_change_what_was_sent():
    link, buffer = Link(), bytearray(b"one")
    with amqp_io.corked(link):
        link.send(memoryview(buffer))
        buffer[:] = b"two"

    assert link.sent == [b"one"]


@pytest.mark.parametrize("link", [None, SimpleNamespace(transport=None), SimpleNamespace()])
def test_other_brokers_links_are_left_as_they_are(link: Any):
    amqp_io.read_ahead(link)
    with amqp_io.corked(link):
        pass
    assert not amqp_io.has_more(link)


def test_what_came_along_with_an_answer_is_not_left_lying():
    consumer, link = Consumer.__new__(Consumer), Link(b"one")
    consumer._read_ahead(link)
    consumer._drain_rest()
    assert link.taken == []  # the socket will tell

    link.transport._read_buffer = b"one"
    consumer._drain_rest()

    assert link.taken == [b"one"]
