"""RabbitMQ: probed, found and run on private ports with an epmd of its own."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

import amqp

from deploy.servers.ports import LOOPBACK, free_port
from deploy.servers.private import NotInstalled, PrivateServer

PROBE_TIMEOUT_SECONDS = 3.0
AMQP_PORT = 5672
NO_SETTINGS: Mapping[str, str] = {}

# Debian's wrapper on the path changes the user and the directory: use the script that it wraps.
BEHIND_THE_WRAPPER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class PrivateRabbit(PrivateServer):
    """A private RabbitMQ node, with guest/guest. Durable queues survive a kill and a restart."""

    kind: ClassVar[str] = "rabbitmq"

    def __init__(
        self, directory: Path | None = None, *, port: int | None = None, settings: Mapping[str, str] = NO_SETTINGS
    ) -> None:
        super().__init__(directory, port=port)
        self.settings = {"loopback_users.guest": "true", **settings}
        self._program = find_program()
        self._distribution_port = free_port()
        self._epmd_port = free_port()

    @property
    def url(self) -> str:
        """The server's URL for clients."""
        return f"amqp://guest:guest@{LOOPBACK}:{self.port}//"

    @property
    def node(self) -> str:
        """The node's Erlang name, for rabbitmqctl."""
        return f"private{self.port}@localhost"

    def is_ready(self) -> bool:
        """Return whether the server accepts clients now."""
        return accepts(self.url)

    @property
    def environment(self) -> dict[str, str]:
        """Settings that keep the node private, also for rabbitmqctl: nothing of /etc or the caller's home is read."""
        directory = self.directory
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C.UTF-8",
            "HOME": str(directory),  # holds the Erlang cookie
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONF_ENV_FILE": str(directory / "absent-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(directory / "absent-advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(directory / "generated"),
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(directory / "pid"),
        }

    def _launch(self) -> None:
        (self.directory / "enabled_plugins").write_text("[].\n")
        lines = [f"{name} = {value}\n" for name, value in self.settings.items()]
        (self.directory / "rabbitmq.conf").write_text("".join(lines))
        epmd = shutil.which("epmd", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/lib/erlang/bin")
        if epmd is None:
            raise NotInstalled("no epmd, which comes with Erlang")
        self._spawn([epmd, "-port", str(self._epmd_port), "-address", LOOPBACK], env=self.environment)
        self._spawn([self._program], env=self.environment)


def accepts(url: str) -> bool:
    """Return whether a RabbitMQ at this address accepts our login and opens its virtual host."""
    where = urlsplit(url)
    connection = amqp.Connection(
        host=f"{where.hostname}:{where.port or AMQP_PORT}",
        userid=unquote(where.username or "guest"),
        password=unquote(where.password or "guest"),
        virtual_host=unquote(where.path[1:]) or "/",
        connect_timeout=PROBE_TIMEOUT_SECONDS,
        read_timeout=PROBE_TIMEOUT_SECONDS,
    )
    try:
        connection.connect()
    except (OSError, amqp.AMQPError):
        return False
    finally:
        connection.collect()
    return True


def find_program() -> Path:
    """Find the server's start script. :raises NotInstalled: when there is none."""
    if BEHIND_THE_WRAPPER.exists():
        return BEHIND_THE_WRAPPER
    if found := shutil.which("rabbitmq-server"):
        return Path(found)
    raise NotInstalled("no rabbitmq-server")
