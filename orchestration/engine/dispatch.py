"""Commands on their way to the broker, and what happens when it is away."""

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
"""After a failed publish no thread of this process waits for the broker for so long; recovery goes on asking."""
PUBLISHED_WITHIN_S = 1.0
"""While a client waits, connecting and confirm together: the saga is due anyway, so recovery will publish it."""

breaker = ProcessBreaker(OPEN_FOR.total_seconds())


class BrokerAway(Exception):
    """The broker did not take the message; the saga stays due."""


class Broker(Protocol):
    """What the engine and recovery need of a broker. This module is one."""

    def send(self, instance: SagaInstance, command: Command, /) -> None: ...

    def broker_is_away(self) -> bool: ...

    def broker_is_ready(self) -> bool: ...


def send(instance: SagaInstance, command: Command) -> None:
    """Publish the command's chain, at the token the row has now.

    While the broker does not answer, one thread at a time waits for it on behalf of a client; the others do not wait.
    Workers wait as long as `messages` allows.

    :raises BrokerAway: when it is not known to have arrived.
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
    """Whether a publish has failed a moment ago."""
    return breaker.is_open()


def broker_is_ready() -> bool:
    """Ask the broker, and make the queues that it may have lost; say whether sending is worth trying."""
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
    """What the saga knows, as its messages carry it."""
    return {"known": instance.request | instance.answers, "trail": []}
