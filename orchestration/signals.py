"""Signals that orchestration sends within its process.

A signal is not certain: the process can die after the change and before the signal. Read the tables for facts that must
not be missed.
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
lock_broken = Signal()
"""After an operator has broken a lock: `resource`."""
lock_waits_ended = Signal()
"""After the commit in which sagas ended their waits for locks: `waits`, pairs of a resource and the length of a wait.
"""
steps_ended = Signal()
"""When the work on messages to a participant has ended: `endings`, a list of `execution.results.Ending`."""


def tell_moved(moves: Sequence[tuple[Any, Sequence[Any]]]) -> None:
    """Send the signals for sagas that moved, and for those among them that ended."""
    sagas_moved.send_robust(sender=None, moves=moves)
    if ended := [saga for saga, _ in moves if saga.phase in ENDED]:
        sagas_ended.send_robust(sender=None, sagas=ended)
