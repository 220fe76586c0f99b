"""Private servers of a chaos run, a proxy in front of each: a PostgreSQL cluster per service, RabbitMQ, Redis."""

import base64
import json
import os
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg

from config import env
from deploy.isolation import isolated
from deploy.servers import PrivatePostgres, PrivateRabbit, PrivateRedis, PrivateServer
from deploy.servers.postgres import THROWAWAY
from orchestration.messaging.topology import Topology
from tests.chaos.proxy import LOOPBACK, Loop, Proxy

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = "outside"
CLUSTERS = {
    **{alias: alias for alias in ("orchestration", "inventory", "payments", "shipping", "orders")},
    "gateway": OUTSIDE,
    "carrier": OUTSIDE,
}
"""The cluster of each alias."""
SERVICES = sorted(set(CLUSTERS.values()) - {OUTSIDE})
LEDGERS = ("inventory", "payments", "shipping", "orders")
MAX_CONNECTIONS = 60
SMALL = {**THROWAWAY, "shared_buffers": "16MB", "max_connections": str(MAX_CONNECTIONS), "wal_level": "replica"}
SMALL |= {"max_wal_senders": "4", "autovacuum_naptime": "5min"}
QUICK = {
    "SHOP_PRESUMED_LOST_SECONDS": "3",
    "SHOP_RECOVERY_PERIOD_SECONDS": "0.3",
    "SHOP_SANDBOX_TIMEOUT_SECONDS": "0.5",
    "SHOP_BREAKER_RESET_SECONDS": "3",
    "SHOP_LOG_LEVEL": "WARNING",
}


class Servers:
    """All servers of a run, in one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.topology = Topology(prefix="chaos.", queue_type="classic")
        self.postgres = {
            name: PrivatePostgres(directory / name, settings=SMALL) for name in sorted(set(CLUSTERS.values()))
        }
        self.rabbit = PrivateRabbit(directory / "rabbit")
        self.redis = PrivateRedis(directory / "redis")
        self._loop = Loop()
        self.proxies: dict[str, Proxy] = {}
        self._retired: list[PrivatePostgres] = []
        self._secrets = {
            "SHOP_DEBUG": "false",
            "SHOP_SECRET_KEY": secrets.token_urlsafe(48),
            "SHOP_SEALING_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "SHOP_QUEUE_PREFIX": self.topology.prefix,
        }

    @property
    def everything(self) -> dict[str, PrivateServer]:
        return {**self.postgres, "rabbit": self.rabbit, "redis": self.redis}

    def start(self) -> None:
        """Start the servers and their proxies. Create databases, tables and queues."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda server: server.start(), self.everything.values()))
        for name, server in self.everything.items():
            self.proxies[name] = Proxy(self._loop, server.port).start()
        self.manage("migrate", "--create")
        self.manage("declare_queues")

    def close(self) -> None:
        """Stop the servers and remove their files."""
        for proxy in self.proxies.values():
            proxy.close()
        self._loop.close()
        for server in (*self.everything.values(), *self._retired):
            server.close()

    def take_over(self, name: str, successor: PrivatePostgres) -> None:
        """Route the address of a cluster to another server. The old one runs on, with its sessions."""
        self._retired.append(self.postgres[name])
        self.postgres[name] = successor
        self.proxies[name].target_port = successor.port

    def manage(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a management command that bypasses the proxies."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment(through_proxies=False),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"manage.py {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done

    def seed(self) -> dict[str, Any]:
        """Create a catalogue, stock and a customer."""
        seeded: dict[str, Any] = json.loads(self.manage("seed_catalogue", "--format", "json").stdout)
        return seeded

    def environment(self, *, through_proxies: bool = True, application: str = "chaos") -> dict[str, str]:
        """Return the settings by which a process uses these servers. `application` is its name in PostgreSQL."""
        return {
            **isolated(os.environ),
            **QUICK,
            **self._secrets,
            "SHOP_BROKER_URL": f"amqp://guest:guest@{LOOPBACK}:{self._port('rabbit', through_proxies)}//",
            "SHOP_REDIS_URL": f"redis://{LOOPBACK}:{self._port('redis', through_proxies)}/0",
            **{
                f"SHOP_{alias.upper()}_DATABASE_URL": f"postgres://postgres@{LOOPBACK}:"
                f"{self._port(CLUSTERS[alias], through_proxies)}/shop_{alias}?application_name={application}"
                for alias in env.ALIASES
            },
        }

    def ask(self, alias: str, question: str, *parameters: Any) -> list[Any]:
        """Query a database, bypassing its proxy."""
        with self.connection(alias) as connection:
            return connection.execute(question, parameters).fetchall()  # type: ignore[arg-type]

    def connection(self, alias: str, **options: Any) -> "psycopg.Connection[Any]":
        """Open a connection that bypasses the proxy and commits each statement alone."""
        url = f"postgres://postgres@{LOOPBACK}:{self.postgres[CLUSTERS[alias]].port}/shop_{alias}"
        return psycopg.connect(url, autocommit=True, connect_timeout=3, **options)

    def _port(self, name: str, through_proxies: bool) -> int:
        return self.proxies[name].port if through_proxies else self.everything[name].port
