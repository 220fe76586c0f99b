"""Commands on their way to the broker, and what happens when it is away."""

import logging
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from amqp.exceptions import AMQPError
from celery import current_app
from django.conf import settings
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from orchestration.canvas import chain_for
from orchestration.models import ALIAS, SagaInstance
from orchestration.sagas import definition_of
from orchestration.states import Command

logger = logging.getLogger(__name__)

LEFT_ALONE_FOR = timedelta(seconds=1)
"""After a failed publish nobody in this process waits for the broker for so long; recovery goes on asking."""

_away_until = 0.0  # monotonic seconds


class BrokerAway(Exception):
    """The broker did not take the message; the saga stays due."""


def send(instance: SagaInstance, command: Command) -> None:
    """Publish the command's chain, at the token the row has now.

    :raises BrokerAway: when it is not known to have arrived.
    """
    global _away_until
    if broker_is_away():
        raise BrokerAway("it was away a moment ago")
    chain = chain_for(definition_of(instance.definition), command, UUID(str(instance.pk)), instance.token)
    try:
        chain.apply_async(args=(carried(instance),))
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


def mark_undelivered(instance: SagaInstance) -> None:
    """Have recovery send again at once, instead of looking for a message that never left."""
    row = SagaInstance.objects.using(ALIAS).filter(pk=instance.pk, phase=instance.phase, version=instance.version)
    row.update(in_flight=False, due_at=Now() + LEFT_ALONE_FOR)
