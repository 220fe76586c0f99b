"""What carrying out messages comes to, told to whoever delivered them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestration.batches import Room, Thunk
from orchestration.canvas import Received
from orchestration.letters import Letter


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
