"""The result of the work on a message, and the types of the functions that do the work and receive its result."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestration.execution.scheduler import Executors, Thunk
from orchestration.messaging.canvas import Message
from orchestration.text.cleaning import text_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ending:
    """The result of the work on a message: the next messages, the outcome, and whether to dead-letter the message.

    `outcome` is a step's outcome, the exception that made the work fail, or None. `is_dead`: no worker can run it.
    """

    message: Message
    messages: Sequence[Message] = ()
    outcome: object = None
    is_dead: bool = False

    @property
    def error(self) -> Exception | None:
        """The exception that made the work fail."""
        return self.outcome if isinstance(self.outcome, Exception) else None


End = Callable[[Sequence[Ending]], None]
Work = Callable[[list[Message]], Thunk | None]
"""Runs messages and passes an `Ending` of each to `End`. May return deferred work that does this later."""
MakeWork = Callable[[End, Executors], Work]
"""Makes a task's `Work` for one worker, from the function that receives endings, and the executors."""


def encodable(ending: Ending) -> Ending:
    """Return the ending. If JSON cannot carry its messages, return one that reports this failure to the saga instead.

    To requeue the message instead would redeliver it at once, again and again.
    """
    try:
        for message in ending.messages:
            _ = message.body
    except TypeError as error:
        logger.error("%s: the next message cannot be encoded: %s", ending.message.task, error)
        failure = {"error": {"class": type(error).__name__, "message": text_of(error)}}
        return Ending(ending.message, ending.message.failed(failure), outcome=ending.error or error)
    return ending
