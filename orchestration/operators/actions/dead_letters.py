"""What an operator can do to a dead letter: send it again or discard it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import amqp
from amqp.exceptions import ChannelError, MessageNacked
from django.conf import settings
from kombu import Connection

from orchestration.models.actions import MachineryAction
from orchestration.operators.actions.recorded_action import Logged, NotDone, on_record
from orchestration.operators.actions.requests import LONGEST_TEXT, Actor, MachineryAsk
from orchestration.operators.insight.dead_letters import (
    LOOKED_AT,
    DeadLetter,
    dead_letter_of,
    death_of,
    fetched,
    headers_of,
)
from orchestration.operators.insight.sources import Unavailable, at_the_broker
from orchestration.text.cleaning import harmless_text

Disposal = Callable[[Any, Any], Logged | None]
"""Takes channel and message, and returns where the message was sent, for the log. The message is acked afterwards."""

_DEATH_HEADERS = ("x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason")


class NoSuchDeadLetter(NotDone):
    """No dead letter with this id was found; another operator may have handled it."""


def send_again(dead_letter_id: str, *, actor: Actor, reason: str) -> DeadLetter:
    """Send the dead letter to the queue that rejected it. A participant that has done the command repeats its answer.

    :raises NoSuchDeadLetter: when it is not there, or the broker does not name the queue.
    :raises NotAsked: when the operator or the reason is missing.
    :raises NotDone: when the broker is unavailable, or the action cannot be recorded.
    :raises NotKnown: when the broker failed during the action.
    """
    return _dispose(dead_letter_id, _put_back, _ask(MachineryAction.SEND_LETTER_AGAIN, dead_letter_id, actor, reason))


def discard(dead_letter_id: str, *, actor: Actor, reason: str) -> DeadLetter:
    """Discard the dead letter. Recovery still checks the saga that the message was about.

    :raises NoSuchDeadLetter: when it is not there.
    :raises NotAsked: when the operator or the reason is missing.
    :raises NotDone: when the broker is unavailable, or the action cannot be recorded.
    :raises NotKnown: when the broker failed during the action.
    """
    return _dispose(
        dead_letter_id, lambda *_: None, _ask(MachineryAction.DISCARD_LETTER, dead_letter_id, actor, reason)
    )


def _ask(action: MachineryAction, dead_letter_id: str, actor: Actor, reason: str) -> MachineryAsk:
    return MachineryAsk(action, actor, reason, f"{settings.TOPOLOGY.dead_letter_queue.name}/{dead_letter_id}")


def _dispose(dead_letter_id: str, disposal: Disposal, ask: MachineryAsk) -> DeadLetter:
    def find(connection: Connection) -> DeadLetter:
        channel: Any = connection.channel()  # messages that are not acked return when the connection is closed
        message, dead_letter = _found(channel, dead_letter_id)
        on_record(
            ask,
            before=_as_logged(dead_letter),
            act=lambda: _carry_out(disposal, channel, message),
            after=lambda destination: destination,
        )
        return dead_letter

    done = at_the_broker(find)
    if isinstance(done, Unavailable):
        raise NotDone(done.why)
    return done


def _found(channel: Any, dead_letter_id: str) -> tuple[Any, DeadLetter]:
    for message in fetched(channel, LOOKED_AT):
        dead_letter = dead_letter_of(message)
        if dead_letter.id == dead_letter_id:
            return message, dead_letter
    raise NoSuchDeadLetter(NoSuchDeadLetter.__doc__)


def _carry_out(disposal: Disposal, channel: Any, message: Any) -> Logged | None:
    destination = disposal(channel, message)
    channel.basic_ack(message.delivery_tag)
    channel.close()  # the broker does not confirm an ack, but it confirms the close, and so that the ack arrived
    return destination


def _put_back(channel: Any, message: Any) -> Logged:
    queue = death_of(message).get("queue")
    if not queue:
        raise NoSuchDeadLetter("the broker does not say where it died")
    headers = {name: value for name, value in headers_of(message).items() if name not in _DEATH_HEADERS}
    again = amqp.Message(message.body, **{**message.properties, "application_headers": headers})
    try:
        channel.basic_publish_confirm(
            again, exchange=settings.TOPOLOGY.exchange.name, routing_key=queue, mandatory=True
        )
    except ChannelError as error:
        raise NoSuchDeadLetter(f"there is no queue {queue} any more") from error
    except MessageNacked as error:
        raise NotDone(f"the broker did not take it into queue {queue}") from error
    return {"queue": _storable(str(queue))}


def _as_logged(dead_letter: DeadLetter) -> Logged:
    """Return what the log records of it: ids and headers, cut to the length that a column holds; not the body."""
    texts: Mapping[str, Any] = asdict(dead_letter)
    texts = {name: _storable(value) for name, value in texts.items() if isinstance(value, str) and name != "body"}
    return {
        **texts,
        "saga_id": dead_letter.saga_id and str(dead_letter.saga_id),
        "token": dead_letter.token,
        "died_at": dead_letter.died_at and dead_letter.died_at.isoformat(),
        "size": dead_letter.size,
    }


def _storable(text: str) -> str:
    return harmless_text(text, longest=LONGEST_TEXT)
