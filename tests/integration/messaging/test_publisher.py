"""Publishing to a real broker: many messages with one wait, every loss noticed, a broken connection replaced."""

import os
import socket
import threading
from contextlib import closing
from urllib.parse import urlsplit

import orjson
import pytest
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from orchestration.db import deadline
from orchestration.messaging import publisher, routing
from orchestration.messaging.canvas import Message
from orchestration.messaging.publisher import Unroutable, publish
from tests.chaos.proxy import LOOPBACK, Loop, Proxy
from tests.support import broker
from tests.support.broker import talking_to
from tests.support.wait import wait_for

LITTLE_S = 0.3
"""Three times as much is below the TCP_USER_TIMEOUT of py-amqp's sockets, a second."""
LARGE = 2_000_000  # bytes: more than the sockets between hold


@pytest.fixture(autouse=True)
def queues(monkeypatch, workforce):
    """Queues of this run, and no connection that another test has opened."""
    for queue in ("inventory", "nowhere"):
        monkeypatch.setitem(routing._queues, f"test.{queue}", settings.TOPOLOGY.name(queue))
    broker.declare_queues()
    broker.purge_queues()
    monkeypatch.setattr(publisher, "_idle", {})
    yield
    for idle in publisher._idle.values():
        while not idle.empty():
            idle.get().close()
    broker.purge_queues()


def message(number: int, queue: str = "inventory") -> Message:
    return Message(f"test.{queue}", str(number), str(number), [number], {})


def waiting() -> list[int]:
    found = []
    while message := broker.take_message("inventory"):
        found.append(orjson.loads(message.body)[0][0])
    return found


def break_the_idle_connection() -> None:
    [connection] = publisher._idle[os.getpid()].queue
    connection._connection.connection.transport.sock.shutdown(socket.SHUT_RDWR)


def test_many_messages_arrive_in_order():
    publish([message(number) for number in range(300)])

    assert waiting() == list(range(300))


def test_publishing_no_messages_opens_no_connection():
    publish([])

    assert publisher._idle == {}


def test_messages_without_a_queue_are_named_and_the_others_arrive():
    with pytest.raises(Unroutable) as error:
        publish([message(1), message(2, "nowhere"), message(3), message(4, "nowhere")])

    assert error.value.rejected == {"2", "4"}
    assert waiting() == [1, 3]


def test_connection_is_used_again():
    publish([message(1)])
    publish([message(2)])

    assert publisher._idle[os.getpid()].qsize() == 1
    assert waiting() == [1, 2]


def test_connection_that_broke_while_idle_is_replaced():
    publish([message(1)])
    break_the_idle_connection()
    publish([message(2)])

    assert waiting() == [1, 2]


def test_connection_that_returned_a_message_is_kept():
    with pytest.raises(Unroutable):
        publish([message(1, "nowhere")])
    publish([message(2)])

    assert waiting() == [2]


def test_absent_broker_is_an_error():
    # Not by patching `broker_write_url`: what is put back would from then on go before `broker_url`.
    with talking_to("amqp://guest:guest@127.0.0.1:1//"), pytest.raises(OperationalError):
        publish([message(1)])


def test_the_broker_for_writing_is_the_one_for_reading():
    assert current_app.conf.broker_write_url == current_app.conf.broker_url == current_app.conf.broker_read_url
    assert current_app.conf.get("broker_write_url") is None


def test_connection_of_a_broker_that_confirms_nothing_is_closed(monkeypatch):
    monkeypatch.setattr(publisher, "CONFIRMED_WITHIN", 0.05)
    monkeypatch.setattr(publisher._Connection, "_on_ack", lambda *_: None)

    with pytest.raises(OperationalError, match="not published"):
        publish([message(2)])
    assert publisher._idle[os.getpid()].empty()


def test_forked_child_has_connections_of_its_own():
    publish([message(1)])
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            publish([message(2)])
            code = 0
        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    publish([message(3)])
    assert waiting() == [1, 2, 3]


def delay_no_more(proxy: Proxy) -> None:
    wait_for(lambda: proxy.held, what="the delay of one chunk")
    proxy.delay = 0


def publishes_in_little_time() -> bool:
    try:
        with deadline.within(LITTLE_S):
            publish([message(1)])
    except OperationalError:
        return False
    return True


def test_connection_opened_by_a_thread_with_little_time_serves_a_thread_with_more():
    url = urlsplit(settings.CELERY_BROKER_URL)
    with closing(Loop()) as loop, closing(Proxy(loop, url.port or 5672).start()) as proxy:
        through_it = f"{url.scheme}://{url.username}:{url.password}@{LOOPBACK}:{proxy.port}{url.path}"
        with talking_to(through_it):
            wait_for(publishes_in_little_time, what="a connection that was opened in time")
            [connection] = publisher._idle[os.getpid()].queue
            connection._connection.connection.transport.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            proxy.held, proxy.delay = 0, 3 * LITTLE_S
            threading.Thread(target=delay_no_more, args=[proxy]).start()
            with deadline.within(60):
                publish([Message("test.inventory", "2", "2", ["x" * LARGE], {})])
            assert list(publisher._idle[os.getpid()].queue) == [connection], "it was given up"
