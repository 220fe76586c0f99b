"""What orchestration tells whoever cares to listen in the same process.

Nothing here is certain to be said: the process can die between what happened and the word of it. For what must not be
missed, ask the tables.
"""

from collections.abc import Sequence
from typing import Any

from django.dispatch import Signal

from orchestration.protocol.states import ENDED

sagas_moved = Signal()
"""After the commit that started or changed them: `moves`, pairs of `SagaInstance` as it is now and the entries written
into its log."""
sagas_ended = Signal()
"""After the commit that ended them: `sagas`, a list of `SagaInstance` as they are now."""
steps_carried_out = Signal()
"""When it is known what became of messages to a participant: `ended`, pairs of `StepMessage` and `Next`
(`participant.performing`)."""


def tell_moved(moves: Sequence[tuple[Any, Sequence[Any]]]) -> None:
    """Say that sagas have moved, and which of them have ended."""
    sagas_moved.send_robust(sender=None, moves=moves)
    if ended := [saga for saga, _ in moves if saga.phase in ENDED]:
        sagas_ended.send_robust(sender=None, sagas=ended)
