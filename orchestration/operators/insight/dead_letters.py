"""Dead letters (messages that no worker could process) as operators see them.

To read the queue, messages are fetched and returned, so each reading counts as a delivery. On a quorum queue of
RabbitMQ 4, give the queue a policy without a delivery limit.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from kombu import Connection

from orchestration.messaging.task import public
from orchestration.operators.insight.redaction import HIDDEN
from orchestration.operators.insight.sources import Unavailable, at_the_broker

LOOKED_AT = 200
"""The most dead letters that are read, the oldest first."""


@dataclass(frozen=True)
class DeadLetter:
    """One dead letter as it may be shown: of its contents only ids. `id` identifies it later."""

    id: str
    task: str
    task_id: str
    saga_id: UUID | None
    step: str
    token: int | None
    queue: str
    """The queue that rejected it; empty when the broker does not say."""
    reason: str
    """The broker's reason: rejected, expired, maxlen or delivery_limit."""
    died_at: datetime | None
    body: str
    size: int
    """The size of the body, in bytes."""


@dataclass(frozen=True)
class DeadLetters:
    """Dead letters, the oldest first; `is_more` says whether the queue holds more than these."""

    dead_letters: tuple[DeadLetter, ...]
    is_more: bool


def dead_letters(limit: int = LOOKED_AT) -> DeadLetters | Unavailable:
    """Read the dead letters. Each message returns to its place in the queue."""

    def look(connection: Connection) -> DeadLetters:
        with connection.channel() as channel:  # closing the channel returns the messages that were not acked
            found = [dead_letter_of(message) for message in fetched(channel, limit + 1)]
        return DeadLetters(tuple(found[:limit]), len(found) > limit)

    return at_the_broker(look)


def dead_letters_of(saga_id: UUID) -> tuple[DeadLetter, ...] | Unavailable:
    """Return the dead letters about this saga."""
    found = dead_letters()
    if isinstance(found, Unavailable):
        return found
    return tuple(dead_letter for dead_letter in found.dead_letters if dead_letter.saga_id == saga_id)


def fetched(channel: Any, limit: int) -> Iterator[Any]:
    """Yield at most `limit` messages of the dead-letter queue, the oldest first.

    Messages that are not acked return to the queue when the channel is closed.
    """
    queue = settings.TOPOLOGY.dead_letter_queue.name
    for _ in range(limit):
        message = channel.basic_get(queue, no_ack=False)
        if message is None:
            return
        yield message


def dead_letter_of(message: Any) -> DeadLetter:
    """Return what may be shown of a message. The message may hold anything."""
    headers, death = headers_of(message), death_of(message)
    shown = public(_kwargs(message))
    body = message.body if isinstance(message.body, bytes) else str(message.body).encode()
    return DeadLetter(
        id=hashlib.sha256(body + json.dumps(headers, sort_keys=True, default=str).encode()).hexdigest()[:16],
        task=str(headers.get("task", "")),
        task_id=str(headers.get("id", "")),
        saga_id=_uuid(shown.get("saga_id")),
        step=str(shown.get("step", "")),
        token=shown["token"] if isinstance(shown.get("token"), int) else None,
        queue=str(death.get("queue", "")),
        reason=str(death.get("reason", "")),
        died_at=_time(death.get("time")),
        body=json.dumps([HIDDEN, shown]) if shown else HIDDEN,
        size=len(body),
    )


def headers_of(message: Any) -> Mapping[str, Any]:
    """Return the headers that the message was published with, and those that the broker added."""
    return message.properties.get("application_headers") or {}


def death_of(message: Any) -> Mapping[str, Any]:
    """Return the newest entry of the `x-death` header (RabbitMQ, Dead Letter Exchanges); empty if there is none."""
    deaths = headers_of(message).get("x-death") or [{}]
    return deaths[0]


def _kwargs(message: Any) -> Mapping[str, Any]:
    try:
        _, kwargs, _ = json.loads(message.body)
    except (ValueError, TypeError, RecursionError):
        return {}
    return kwargs if isinstance(kwargs, dict) else {}


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(text)
    except (ValueError, TypeError, AttributeError):
        return None


def _time(at: Any) -> datetime | None:
    """Return the time as aware UTC. AMQP's times are UTC but carry no zone."""
    return at.replace(tzinfo=UTC) if isinstance(at, datetime) else None
