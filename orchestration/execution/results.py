"""How the work on a message ends, and the types of the functions that do the work and report its end."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestration.execution.scheduler import Executors, Thunk
from orchestration.messaging.canvas import Message
from orchestration.text.cleaning import text_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ending:
    """The end of the work on a message: the messages that follow, the outcome, and whether no worker can run it.

    `outcome` is a step's outcome, the exception that made the work fail, or None.
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
"""Runs messages and reports the end of each. May return work that is left to do before it can report."""
MakeWork = Callable[[End, Executors], Work]
"""Makes a task's work for one worker, given the function that takes the ends, and the executors."""


def encodable(ending: Ending) -> Ending:
    """Return the ending. If its messages cannot be encoded as JSON, report that failure to the saga instead.

    Giving the message back would redeliver the batch at once, without end.
    """
    try:
        for message in ending.messages:
            _ = message.body
    except TypeError as error:
        logger.error("%s: the next message cannot be encoded: %s", ending.message.task, error)
        failure = {"error": {"class": type(error).__name__, "message": text_of(error)}}
        return Ending(ending.message, ending.message.failed(failure), outcome=ending.error or error)
    return ending
