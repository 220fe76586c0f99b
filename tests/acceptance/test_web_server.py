"""What a real web server says: in time while something behind it hangs, and over connections that are kept alive."""

import http.client
import json
import re
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from knox.models import AuthToken

from config.settings.http import WEB_WAITING
from deploy.servers.ports import LOOPBACK
from deploy.servers.rabbitmq import BEHIND_THE_WRAPPER, PrivateRabbit
from orchestration.engine.dispatch import OPEN_FOR, PUBLISHED_WITHIN_S
from orders.models import Product
from tests.chaos.proxy import Loop, Manner, Proxy
from tests.support import broker
from tests.support.processes import environment
from tests.support.wait import wait_for
from tests.support.web import Reply, WebServer

pytestmark = pytest.mark.servers

CLIENTS = 48
CHUNK = 1_000
PROBED_WITHIN_S = 0.1
REFUSED_WITHIN_S = 3.0
WAITED_FOR_THE_BROKER = re.compile("not dispatched, recovery will: (?!it was away a moment ago)")
WAVES = 4


@dataclass
class Pressure:
    """A web server with a broker of its own and a proxy in front of each of two databases."""

    web: WebServer
    rabbit: PrivateRabbit
    proxies: dict[str, Proxy]
    token: str = ""

    def headers(self) -> dict[str, str]:
        """Give the headers of a new order."""
        return {
            "Authorization": f"Token {self.token}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid4()),
        }

    def order(self, _: int = 0, **headers: str) -> Reply:
        """Place an order of one mug."""
        address = {"name": "A. Buyer", "line1": "1 High St", "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"}
        cart = {
            "lines": [{"sku": "MUG-01", "quantity": 1}],
            "shipping_address": address,
            "payment_method": "tok_ok",
        }
        return self.web.ask(
            "POST",
            "/api/v1/checkouts",
            json.dumps(cart),
            **self.headers(),
            **headers,
        )

    def alarm(self, watermark: str) -> None:
        """Have the broker believe that its memory is full at this share of it: 0 is always, 0.4 its default."""
        program = BEHIND_THE_WRAPPER.with_name("rabbitmqctl")
        subprocess.run(
            [str(program), "-q", "set_vm_memory_high_watermark", watermark],
            env=self.rabbit.environment,
            check=True,
            timeout=60,
            capture_output=True,
        )


@pytest.fixture(scope="module")
def running(django_db_setup: None) -> Iterator[Pressure]:
    loop = Loop()
    proxies = {
        alias: Proxy(loop, int(connections[alias].settings_dict["PORT"])).start()
        for alias in ("orchestration", "orders")
    }
    urls = {f"SHOP_{alias.upper()}_DATABASE_URL": _through(proxy, alias) for alias, proxy in proxies.items()}
    with PrivateRabbit() as rabbit:
        with broker.talking_to(rabbit.url):
            broker.declare_queues()
        web = WebServer({"SHOP_BROKER_URL": rabbit.url, **urls})
        yield Pressure(web, rabbit, proxies)
        web.close()
    for proxy in proxies.values():
        proxy.close()
    loop.close()


@pytest.fixture
def pressed(running: Pressure, transactional_db: None) -> Iterator[Pressure]:
    """A web server that has placed an order, so that its connections are open."""
    Product.objects.create(sku="MUG-01", name="Mug", price_minor=999, currency="GBP")
    running.token = AuthToken.objects.create(get_user_model().objects.create_user("ada"))[1]
    wait_for(lambda: all(reply.status == 202 for reply in running.web.ask_at_once(8, running.order)), what="orders")
    yield running
    for proxy in running.proxies.values():
        proxy.heal()


def test_orders_are_accepted_and_probes_answered_during_an_alarm_of_the_broker(pressed: Pressure) -> None:
    pressed.alarm("0")
    try:
        with pressed.web.probed() as probes:
            first = pressed.web.ask_at_once(CLIENTS, pressed.order)
            said, began = len(pressed.web.log()), time.monotonic()
            later = [reply for _ in range(WAVES) for reply in pressed.web.ask_at_once(CLIENTS, pressed.order)]
            seconds = time.monotonic() - began
    finally:
        pressed.alarm("0.4")

    assert {reply.status for reply in first + later} == {202}
    assert max(reply.seconds for reply in first + later) < REFUSED_WITHIN_S
    waited = [line for line in pressed.web.log()[said:].splitlines() if WAITED_FOR_THE_BROKER.search(line)]
    tries = 1 + seconds / (PUBLISHED_WITHIN_S + OPEN_FOR.total_seconds())
    assert len(waited) <= 2 * tries, "more than one request of a process waited for the broker"
    assert statistics.median(probes) < PROBED_WITHIN_S, probes


def test_clients_beyond_the_number_that_may_wait_get_their_202_at_once(pressed: Pressure) -> None:
    with pressed.web.probed() as probes:
        replies = pressed.web.ask_at_once(64, lambda number: pressed.order(number, Prefer="wait=3"))

    waited = [reply for reply in replies if "Preference-Applied" in reply.headers]
    at_once = [reply for reply in replies if "Preference-Applied" not in reply.headers]
    assert {reply.status for reply in replies} == {202}
    assert 0 < len(waited) <= 2 * WEB_WAITING
    assert min(reply.seconds for reply in waited) >= 3
    assert max(reply.seconds for reply in at_once) < 3, "a client waited although too many others did"
    assert statistics.median(probes) < PROBED_WITHIN_S, probes


@pytest.mark.parametrize("manner", [Manner.REFUSE, Manner.SWALLOW])
@pytest.mark.parametrize("alias", ["orchestration", "orders"])
def test_an_order_is_refused_in_time_while_a_database_is_away(pressed: Pressure, alias: str, manner: Manner) -> None:
    proxy = pressed.proxies[alias]
    proxy.manner = manner
    if manner is Manner.REFUSE:
        proxy.reset_all()
    with pressed.web.probed() as probes:
        replies = [reply for _ in range(2) for reply in pressed.web.ask_at_once(CLIENTS, pressed.order)]
    proxy.heal()

    assert {(reply.status, reply.headers.get("Retry-After")) for reply in replies} == {(503, "1")}
    assert max(reply.seconds for reply in replies) < REFUSED_WITHIN_S, sorted(reply.seconds for reply in replies)
    assert statistics.median(probes) < PROBED_WITHIN_S, probes
    wait_for(lambda: pressed.order().status == 202, what="orders are accepted again")


@pytest.mark.parametrize("length", [70_000, 200_000, 2_000_000])
@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_no_request_is_lost_that_follows_a_body_which_was_too_large(
    pressed: Pressure, length: int, chunked: bool
) -> None:
    """The server hangs up after a body that it leaves unread, and says so before; else the next order would be lost."""
    with closing(http.client.HTTPConnection(LOOPBACK, pressed.web.port, timeout=20)) as connection:
        body = (b" " * CHUNK for _ in range(length // CHUNK)) if chunked else b" " * length
        with suppress(ConnectionError):  # the answer may come before all of it is sent
            connection.request("POST", "/api/v1/checkouts", body, pressed.headers(), encode_chunked=chunked)
        refused = connection.getresponse()
        refused.read()
        assert refused.status == 413
        assert refused.getheader("Connection") == "close"


def test_connection_is_kept_after_a_body_that_was_read(pressed: Pressure) -> None:
    with closing(http.client.HTTPConnection(LOOPBACK, pressed.web.port, timeout=20)) as connection:
        for _ in range(2):
            connection.request("POST", "/api/v1/checkouts", "{", pressed.headers())
            answer = connection.getresponse()
            answer.read()
            assert answer.getheader("Connection") == "keep-alive"


def test_probes_do_not_wait_for_clients_that_do_not_hang_up(pressed: Pressure) -> None:
    with ExitStack() as held:
        for _ in range(8):
            client = held.enter_context(socket.create_connection((LOOPBACK, pressed.web.port), timeout=20))
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert client.recv(CHUNK).startswith(b"HTTP/1.1 200")
        probes = [pressed.web.ask("GET", "/healthz").seconds for _ in range(10)]
    assert max(probes) < 1, "the thread that accepts connections waited for a client"
    assert statistics.median(probes) < PROBED_WITHIN_S, probes


def test_probes_do_not_wait_for_clients_that_say_nothing(pressed: Pressure) -> None:
    with ExitStack() as held:
        for _ in range(300):
            held.enter_context(socket.create_connection((LOOPBACK, pressed.web.port), timeout=20))
        probes = [pressed.web.ask("GET", "/healthz").seconds for _ in range(10)]
    assert max(probes) < 1, "all threads waited for clients"
    assert statistics.median(probes) < PROBED_WITHIN_S, probes


def test_two_keys_are_no_third(pressed: Pressure) -> None:
    with closing(http.client.HTTPConnection(LOOPBACK, pressed.web.port, timeout=20)) as connection:
        connection.putrequest("POST", "/api/v1/checkouts")
        for name, value in [*pressed.headers().items(), ("Idempotency-Key", "k-2"), ("Content-Length", "0")]:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["code"]) == (400, "idempotency_key_malformed")


def _through(proxy: Proxy, alias: str) -> str:
    """The address of the alias's test database, by way of the proxy."""
    url, _, options = environment()[f"SHOP_{alias.upper()}_DATABASE_URL"].partition("?")
    return f"{url}?{urlencode({**dict(parse_qsl(options)), 'host': LOOPBACK, 'port': proxy.port})}"
