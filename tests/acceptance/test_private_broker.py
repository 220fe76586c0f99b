"""A shop on an encrypted broker of its own: orders end there, and nothing at it lacks the shop's prefix."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from celery.events import EventReceiver

from config.tls import Tls, of_broker
from deploy.servers import PrivateRabbit
from deploy.servers.ports import free_port
from orchestration.messaging.topology import Topology
from tests.support.broker import declare_queues, talking_to
from tests.support.certificates import Authority
from tests.support.processes import Worker

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Broker:
    """RabbitMQ, which its clients reach encrypted only."""

    server: PrivateRabbit
    url: str
    tls: Tls

    def names(self, kind: str) -> set[str]:
        """List the exchanges or queues that the broker has."""
        listed = subprocess.run(
            ["/usr/lib/rabbitmq/bin/rabbitmqctl", "-n", self.server.node, "--quiet", f"list_{kind}", "name"],
            env=self.server.environment,
            cwd=self.server.directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.splitlines()
        return {name for name in listed[1:] if name and not name.startswith("amq.")}


@pytest.fixture
def broker(tmp_path: Path, settings: Any) -> Iterator[Broker]:
    """With quorum queues, for which Celery would make delay queues."""
    authority, port = Authority(tmp_path, "ours"), free_port()
    signed = authority.sign("server", "localhost")
    options = {
        "listeners.ssl.default": f"127.0.0.1:{port}",
        "ssl_options.cacertfile": str(authority.ca),
        "ssl_options.certfile": str(signed.certificate),
        "ssl_options.keyfile": str(signed.key),
    }
    url, tls = f"amqps://guest:guest@localhost:{port}//", Tls(True, str(authority.ca), True, "", "")
    with PrivateRabbit(settings=options) as server, talking_to(url, tls=of_broker(tls, url)):
        settings.TOPOLOGY = Topology(prefix=settings.TOPOLOGY.prefix, queue_type="quorum")
        declare_queues()
        yield Broker(server, url, tls)


def test_orders_end_and_everything_has_the_prefix(broker: Broker, shop, settings):
    worker = Worker(env={"SHOP_BROKER_TLS_CA": broker.tls.ca}, options=["-E"])
    try:
        placed = [shop.place() for _ in range(3)]
        assert shop.ended(*placed) == ["completed"] * 3
        heard = _events(settings.TOPOLOGY.prefix)
        assert worker.busy_with() == ""
        names = {kind: broker.names(kind) for kind in ("exchanges", "queues")}
    finally:
        worker.stop()
    assert worker.name in heard
    prefix = settings.TOPOLOGY.prefix
    assert {name for found in names.values() for name in found if not name.startswith(prefix)} == set()
    assert names["exchanges"] == {
        prefix + name for name in ("sagas", "dead-letters", "celeryev", "celery.pidbox", "celery.reply.pidbox")
    }


def test_shops_of_two_prefixes_on_one_broker_do_not_hear_each_other(workforce, settings):
    """The control exchange that the test process asks is its own shop's."""
    workforce.stop_shared()
    settings_before = settings.TOPOLOGY
    settings.TOPOLOGY = Topology(prefix=f"{settings_before.prefix}other.", queue_type="classic")
    other = Worker(["orders"])
    settings.TOPOLOGY = settings_before
    try:
        assert current_app.control.ping(timeout=1) == []
    finally:
        other.stop()
    ours = Worker(["orders"])
    try:
        assert [name for said in current_app.control.ping(timeout=5, limit=1) for name in said] == [ours.name]
    finally:
        ours.stop()


def _events(prefix: str) -> set[str]:
    """Listen as Flower does, until something is heard."""
    heard: set[str] = set()
    with current_app.connection_for_read() as connection:
        receiver: Any = EventReceiver(connection, {"*": lambda event: heard.add(event["hostname"])}, app=current_app)
        assert receiver.queue.name.startswith(prefix)
        receiver.capture(limit=1, timeout=30)
    return heard
