"""The three services that the project needs: their names, standard ports, and how to obtain each."""

import getpass
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.servers import postgres, rabbitmq, redis
from deploy.servers.ports import LOOPBACK
from deploy.servers.private import PrivateServer


@dataclass(frozen=True)
class Image:
    """A container image of a service."""

    name: str
    port: int
    url: str  # with {port} for the port it is published on
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Service:
    """One of PostgreSQL, RabbitMQ and Redis, and every way to obtain it."""

    name: str
    variable: str
    standard_urls: tuple[str, ...]
    accepts: Callable[[str], bool]
    private: Callable[[Path], PrivateServer]
    image: Image
    package: str


POSTGRES = Service(
    name="PostgreSQL",
    variable="SHOP_POSTGRES_URL",
    standard_urls=(
        f"postgres://{postgres.SUPERUSER}@{LOOPBACK}:5432",
        f"postgres://{getpass.getuser()}@{LOOPBACK}:5432",
    ),
    accepts=postgres.accepts,
    private=postgres.PrivatePostgres,
    image=Image(
        name="postgres:17",
        port=5432,
        url=f"postgres://{postgres.SUPERUSER}@{LOOPBACK}:{{port}}",
        environment={"POSTGRES_HOST_AUTH_METHOD": "trust"},
    ),
    package="postgresql",
)

RABBITMQ = Service(
    name="RabbitMQ",
    variable="SHOP_BROKER_URL",
    standard_urls=(f"amqp://guest:guest@{LOOPBACK}:5672//",),
    accepts=rabbitmq.accepts,
    private=rabbitmq.PrivateRabbit,
    image=Image(name="rabbitmq:4", port=5672, url=f"amqp://guest:guest@{LOOPBACK}:{{port}}//"),
    package="rabbitmq-server",
)

REDIS = Service(
    name="Redis",
    variable="SHOP_REDIS_URL",
    standard_urls=(f"redis://{LOOPBACK}:6379/0",),
    accepts=redis.accepts,
    private=redis.PrivateRedis,
    image=Image(name="redis:7", port=6379, url=f"redis://{LOOPBACK}:{{port}}/0"),
    package="redis-server",
)

SERVICES = (POSTGRES, RABBITMQ, REDIS)
