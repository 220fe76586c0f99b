"""Reads that survive an outage of their source: they return the answer, or `Unavailable`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from amqp.exceptions import AMQPError
from celery import current_app
from django.db import Error
from kombu import Connection
from kombu.exceptions import OperationalError
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError

from orchestration.db import deadline
from orchestration.text import formatting

T = TypeVar("T")

CONNECTED_WITHIN = 2  # seconds
AWAY = (Error, AMQPError, OperationalError, OSError, RedisError, PoolTimeout)
"""What a source that is down raises."""


@dataclass(frozen=True)
class Unavailable:
    """A source did not answer; `why` names the source and the error."""

    why: str

    def __str__(self) -> str:
        return self.why


def read(source: str, question: Callable[[], T]) -> T | Unavailable:
    """Return the answer of a source, or `Unavailable` if it is down.

    Within a deadline the source gets half of the time that is left, so that other sources can still be read.
    """
    try:
        with deadline.half_of_the_rest():
            return question()
    except AWAY as error:
        return Unavailable(f"{source} does not answer: {formatting.one_line(error)}")


def at_the_broker(question: Callable[[Connection], T]) -> T | Unavailable:
    """Return what `question` returns for a new connection to the broker, or `Unavailable`."""

    def ask() -> T:
        with current_app.connection_for_read(connect_timeout=CONNECTED_WITHIN) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECTED_WITHIN)
            return question(connection)

    return read("RabbitMQ", ask)
