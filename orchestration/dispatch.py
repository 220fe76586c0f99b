"""Commands on their way to the broker, and what happens when it is away."""

import logging
import time
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from amqp.exceptions import AMQPError
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from orchestration.canvas import letter_for
from orchestration.letters import post
from orchestration.models import SagaInstance
from orchestration.sagas import definition_of
from orchestration.states import Command

logger = logging.getLogger(__name__)

LEFT_ALONE_FOR = timedelta(seconds=1)
"""After a failed publish nobody in this process waits for the broker for so long; recovery goes on asking."""

_away_until = 0.0  # monotonic seconds


class BrokerAway(Exception):
    """The broker did not take the message; the saga stays due."""


class Broker(Protocol):
    """What the engine and recovery need of a broker. This module is one."""

    def send(self, instance: SagaInstance, command: Command, /) -> None: ...

    def broker_is_away(self) -> bool: ...

    def broker_is_ready(self) -> bool: ...


def send(instance: SagaInstance, command: Command) -> None:
    """Publish the command's chain, at the token the row has now.

    :raises BrokerAway: when it is not known to have arrived.
    """
    global _away_until
    if broker_is_away():
        raise BrokerAway("it was away a moment ago")
    saga = definition_of(instance.definition)
    try:
        post([letter_for(saga, command, UUID(str(instance.pk)), instance.token, carried(instance))])
    except (OperationalError, OSError) as error:
        _away_until = time.monotonic() + LEFT_ALONE_FOR.total_seconds()
        raise BrokerAway(str(error) or type(error).__name__) from error


def broker_is_away() -> bool:
    """Whether a publish has failed a moment ago."""
    return time.monotonic() < _away_until


def broker_is_ready() -> bool:
    """Ask the broker, and make the queues that it may have lost; say whether sending is worth trying."""
    global _away_until
    try:
        with current_app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
            settings.TOPOLOGY.declare(connection)
    except (OperationalError, OSError, AMQPError) as error:
        logger.warning("the broker is away: %s", error)
        return False
    _away_until = 0.0
    return True


def carried(instance: SagaInstance) -> dict[str, Any]:
    """What the saga knows, as its messages carry it."""
    return {"known": instance.request | instance.answers, "trail": []}
