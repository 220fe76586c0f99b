"""Publishes commands, and keeps threads from waiting for a broker that is away."""

import logging
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from amqp.exceptions import AMQPError
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from orchestration.db import deadline
from orchestration.db.process_breaker import BreakerIsOpen, ProcessBreaker
from orchestration.messaging.canvas import command_message
from orchestration.messaging.publisher import publish
from orchestration.models import SagaInstance
from orchestration.protocol.states import Command
from orchestration.sagas import definition_of

logger = logging.getLogger(__name__)

OPEN_FOR = timedelta(seconds=1)
"""How long no thread of this process waits for the broker after a failed publish. Recovery goes on checking."""
PUBLISHED_WITHIN_S = 1.0
"""Limit for connecting and confirm together while a client waits. Recovery publishes what was not published."""

breaker = ProcessBreaker(OPEN_FOR.total_seconds())


class BrokerAway(Exception):
    """The broker did not take the message; the saga stays due."""


class Broker(Protocol):
    """The broker as the engine and recovery use it. This module implements it."""

    def send(self, instance: SagaInstance, command: Command, /) -> None: ...

    def broker_is_away(self) -> bool: ...

    def broker_is_ready(self) -> bool: ...


def send(instance: SagaInstance, command: Command) -> None:
    """Publish the command's chain, under the fencing token of the row.

    While the broker does not answer, one thread at a time waits for it on behalf of a client; the others do not wait.
    Workers wait as long as `publisher` allows.

    :raises BrokerAway: when the message was not confirmed. It may still arrive.
    """
    saga = definition_of(instance.definition)
    message = command_message(saga, command, UUID(str(instance.pk)), instance.token, context_of(instance))
    a_client_waits = deadline.is_set()
    bounded = deadline.separate_bound(PUBLISHED_WITHIN_S) if a_client_waits else nullcontext()
    try:
        with breaker.calling(OperationalError, OSError, one_at_a_time=a_client_waits), bounded:
            publish([message])
    except BreakerIsOpen as error:
        raise BrokerAway("it was away a moment ago") from error
    except (OperationalError, OSError) as error:
        raise BrokerAway(str(error) or type(error).__name__) from error


def broker_is_away() -> bool:
    """Return whether a publish failed within `OPEN_FOR`."""
    return breaker.is_open()


def broker_is_ready() -> bool:
    """Connect to the broker and declare queues that it lost. Return whether that succeeded."""
    try:
        with current_app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
            settings.TOPOLOGY.declare(connection)
    except (OperationalError, OSError, AMQPError) as error:
        logger.warning("the broker is away: %s", error)
        return False
    breaker.close()
    return True


def context_of(instance: SagaInstance) -> dict[str, Any]:
    """Return the context that the saga's messages carry: its known facts and no completed steps yet."""
    return {"known": instance.request | instance.answers, "trail": []}
