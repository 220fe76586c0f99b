"""Messages that nobody could carry out: looked at, sent again, or thrown away by a person.

Looking fetches them and gives them back, so each look counts as a delivery: on a quorum queue at RabbitMQ 4, give the
queue a policy without a delivery limit.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import amqp
from amqp.exceptions import ChannelError
from django.conf import settings
from kombu import Connection

from orchestration.insight.reading import Unavailable, at_the_broker
from orchestration.messages import public
from orchestration.redaction import HIDDEN

logger = logging.getLogger(__name__)

LOOKED_AT = 200
"""So many are looked at, the oldest first."""
_DEATH = ("x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason")


class NoSuchLetter(LookupError):
    """No dead letter of this id is among those that can be looked at; somebody else may have taken it."""


@dataclass(frozen=True)
class DeadLetter:
    """One of them, fit to be shown: of what it carries only ids. `id` finds it again."""

    id: str
    task: str
    task_id: str
    saga_id: UUID | None
    step: str
    token: int | None
    queue: str
    """Where it died; empty when the broker does not say."""
    reason: str
    """Why, as the broker says: rejected, expired, maxlen, delivery_limit."""
    died_at: datetime | None
    body: str
    size: int
    """Of the body, in bytes."""


@dataclass(frozen=True)
class Heap:
    """Dead letters, the oldest first; `is_more`: there are others behind them."""

    letters: tuple[DeadLetter, ...]
    is_more: bool


def dead_letters(limit: int = LOOKED_AT) -> Heap | Unavailable:
    """Look at them; each goes back to where it was."""

    def look(connection: Connection) -> Heap:
        with connection.channel() as channel:  # closed, it gives back what was not acked
            found = [_letter(message) for message in _fetched(channel, limit + 1)]
        return Heap(tuple(found[:limit]), len(found) > limit)

    return at_the_broker(look)


def dead_letters_of(saga_id: UUID) -> tuple[DeadLetter, ...] | Unavailable:
    """Those that are about this saga."""
    heap = dead_letters()
    if isinstance(heap, Unavailable):
        return heap
    return tuple(letter for letter in heap.letters if letter.saga_id == saga_id)


def send_again(letter_id: str, *, by: str, reason: str) -> DeadLetter | Unavailable:
    """Put it back into the queue where it died. A participant that has done it already repeats its answer.

    :raises NoSuchLetter: when it is not there, or the broker does not say where it died.
    """

    return _done_with(letter_id, _put_back, f"sent again by {by}: {reason}")


def discard(letter_id: str, *, by: str, reason: str) -> DeadLetter | Unavailable:
    """Throw it away. A saga that it was about is looked at by recovery as ever.

    :raises NoSuchLetter: when it is not there.
    """
    return _done_with(letter_id, lambda channel, message: None, f"discarded by {by}: {reason}")


def _done_with(letter_id: str, act: Callable[[Any, Any], None], said: str) -> DeadLetter | Unavailable:
    def find(connection: Connection) -> DeadLetter:
        channel: Any
        with connection.channel() as channel:
            for message in _fetched(channel, LOOKED_AT):
                letter = _letter(message)
                if letter.id == letter_id:
                    act(channel, message)
                    channel.basic_ack(message.delivery_tag)
                    logger.warning("dead letter %s (%s, saga %s) %s", letter.id, letter.task, letter.saga_id, said)
                    return letter
        raise NoSuchLetter(NoSuchLetter.__doc__)

    return at_the_broker(find)


def _fetched(channel: Any, limit: int) -> Iterator[Any]:
    queue = settings.TOPOLOGY.dead_letter_queue.name
    for _ in range(limit):
        message = channel.basic_get(queue, no_ack=False)
        if message is None:
            return
        yield message


def _put_back(channel: Any, message: Any) -> None:
    queue = _death(message).get("queue")
    if not queue:
        raise NoSuchLetter("the broker does not say where it died")
    headers = {name: value for name, value in _headers(message).items() if name not in _DEATH}
    again = amqp.Message(message.body, **{**message.properties, "application_headers": headers})
    try:
        channel.basic_publish_confirm(
            again, exchange=settings.TOPOLOGY.exchange.name, routing_key=queue, mandatory=True
        )
    except ChannelError as error:
        raise NoSuchLetter(f"there is no queue {queue} any more") from error


def _letter(message: Any) -> DeadLetter:
    headers, death = _headers(message), _death(message)
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


def _headers(message: Any) -> Mapping[str, Any]:
    return message.properties.get("application_headers") or {}


def _death(message: Any) -> Mapping[str, Any]:
    """The newest of the message's deaths."""
    deaths = _headers(message).get("x-death") or [{}]
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
    """AMQP's times are UTC and say so nowhere."""
    return at.replace(tzinfo=UTC) if isinstance(at, datetime) else None
