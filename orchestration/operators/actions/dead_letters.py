"""A dead letter sent again or thrown away by a person."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import amqp
from amqp.exceptions import ChannelError, MessageNacked
from django.conf import settings
from kombu import Connection

from orchestration.models.actions import MachineryAction
from orchestration.operators.actions.recorded_action import Logged, NotDone, on_record
from orchestration.operators.actions.requests import LONGEST_WORDS, Actor, MachineryAsk
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

Way = Callable[[Any, Any], Logged | None]
"""Takes channel and message, and tells where the message went; it is acked afterwards."""

_OF_DEATHS = ("x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason")


class NoSuchDeadLetter(NotDone):
    """No dead letter of this id is among those that can be looked at; somebody else may have taken it."""


def send_again(dead_letter_id: str, *, actor: Actor, reason: str) -> DeadLetter:
    """Put it back into the queue where it died. A participant that has done it already repeats its answer.

    :raises NoSuchLetter: when it is not there, or the broker does not say where it died.
    :raises NotAsked: when the operator or the reason is missing.
    :raises NotDone: when the broker is away, or the act cannot be written down.
    :raises NotKnown: when the broker went away in the middle of it.
    """
    return _done_with(dead_letter_id, _put_back, _ask(MachineryAction.SEND_LETTER_AGAIN, dead_letter_id, actor, reason))


def discard(dead_letter_id: str, *, actor: Actor, reason: str) -> DeadLetter:
    """Throw it away. A saga that it was about is looked at by recovery as ever.

    :raises NoSuchLetter: when it is not there.
    :raises NotAsked: when the operator or the reason is missing.
    :raises NotDone: when the broker is away, or the act cannot be written down.
    :raises NotKnown: when the broker went away in the middle of it.
    """
    return _done_with(
        dead_letter_id, lambda *_: None, _ask(MachineryAction.DISCARD_LETTER, dead_letter_id, actor, reason)
    )


def _ask(action: MachineryAction, dead_letter_id: str, actor: Actor, reason: str) -> MachineryAsk:
    return MachineryAsk(action, actor, reason, f"{settings.TOPOLOGY.dead_letter_queue.name}/{dead_letter_id}")


def _done_with(dead_letter_id: str, way: Way, ask: MachineryAsk) -> DeadLetter:
    def find(connection: Connection) -> DeadLetter:
        channel: Any = connection.channel()  # whatever is not acked goes back when the connection is closed
        message, dead_letter = _found(channel, dead_letter_id)
        on_record(
            ask, before=_as_logged(dead_letter), act=lambda: _carry_out(way, channel, message), after=lambda went: went
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


def _carry_out(way: Way, channel: Any, message: Any) -> Logged | None:
    went = way(channel, message)
    channel.basic_ack(message.delivery_tag)
    channel.close()  # an ack is answered by nothing: that the channel is closed says that it was heard
    return went


def _put_back(channel: Any, message: Any) -> Logged:
    queue = death_of(message).get("queue")
    if not queue:
        raise NoSuchDeadLetter("the broker does not say where it died")
    headers = {name: value for name, value in headers_of(message).items() if name not in _OF_DEATHS}
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
    """What the log keeps of it: ids, and no more of what could not be read than a table can hold."""
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
    return harmless_text(text, longest=LONGEST_WORDS)
