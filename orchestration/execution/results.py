"""The outcome of each message, and the types of the functions that report it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestration.execution.scheduler import Executors, Thunk
from orchestration.messaging.canvas import Received, failure_messages
from orchestration.messaging.publisher import Message
from orchestration.text.cleaning import text_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ending:
    """The end of a message: the messages to publish next, why it failed, and whether no worker can run it."""

    message: Received
    messages: Sequence[Message] = ()
    error: Exception | None = None
    is_dead: bool = False


End = Callable[[Sequence[Ending]], None]
Work = Callable[[list[Received]], Thunk | None]
"""Runs messages and reports the end of each. May return work that is left to do before it can report."""
MakeWork = Callable[[End, Executors], Work]
"""Makes a task's work for one worker, given the function that takes the ends, and the executors."""


def sendable(ending: Ending) -> Ending:
    """Return the ending. If its messages cannot be encoded as JSON, report that failure to the saga instead.

    Giving the message back would redeliver the batch at once, without end.
    """
    try:
        for message in ending.messages:
            _ = message.body
    except TypeError as error:
        logger.error("%s: what follows cannot be sent: %s", ending.message.task, error)
        reported = {"error": {"class": type(error).__name__, "message": text_of(error)}}
        return Ending(ending.message, failure_messages(ending.message, reported), error=ending.error or error)
    return ending
