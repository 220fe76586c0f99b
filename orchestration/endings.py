"""What carrying out messages comes to, told to whoever delivered them."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestration.batches import Room, Thunk
from orchestration.canvas import Received, failure_letters
from orchestration.harmless import text_of
from orchestration.letters import Letter

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ending:
    """The end of a message: what is to be sent now, why it failed, whether it is one that nobody can carry out."""

    message: Received
    letters: Sequence[Letter] = ()
    error: Exception | None = None
    is_dead: bool = False


End = Callable[[Sequence[Ending]], None]
Work = Callable[[list[Received]], Thunk | None]
"""Carries out messages, and sees to it that each gets its end; may return what it still has to do for that."""
Opening = Callable[[End, Room], Work]
"""Makes a task's work for one worker, with where to tell the ends and where work is done."""


def that_can_be_sent(ending: Ending) -> Ending:
    """Return the ending; where JSON cannot carry what follows, its saga hears of that failure instead, and comes back.

    If the message were given back, it and its neighbours would be delivered again at once, and without end.
    """
    try:
        for letter in ending.letters:
            _ = letter.body
    except TypeError as error:
        logger.error("%s: what follows cannot be sent: %s", ending.message.task, error)
        told = {"error": {"class": type(error).__name__, "message": text_of(error)}}
        return Ending(ending.message, failure_letters(ending.message, told), error=ending.error or error)
    return ending
