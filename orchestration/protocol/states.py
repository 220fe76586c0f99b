"""What a saga can be, what can happen to it, and what it can ask for: values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class Phase(StrEnum):
    """Where a saga is. It only moves forward: running, barring, then one of the two branches, then its end."""

    RUNNING = "running"
    BARRING = "barring"
    """Giving up, and not yet sure that the pivot has not happened."""
    COMPENSATING = "compensating"
    FINISHING = "finishing"
    """The pivot is done; the rest is pending."""
    COMPLETED = "completed"
    COMPENSATED = "compensated"


ENDED = frozenset({Phase.COMPLETED, Phase.COMPENSATED})
BEFORE_DECISION = frozenset({Phase.RUNNING, Phase.BARRING})
UNDOING = frozenset({Phase.COMPENSATING, Phase.COMPENSATED})
LOST = "?"
"""Stands for the step's name where nobody knows which message was lost."""


class Kind(StrEnum):
    """What a saga log entry says."""

    STARTED = "started"
    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    WAITING = "waiting"
    GAVE_UP = "gave_up"
    PIVOT_BARRED = "pivot_barred"
    PIVOT_DONE = "pivot_done"
    UNDONE = "undone"
    PARKED = "parked"
    RESUMED = "resumed"
    """An operator had it try again, also what was parked."""
    RETRIED = "retried"
    """An operator had it try again without waiting."""
    PAUSED = "paused"
    UNPAUSED = "unpaused"
    SETTLED = "settled"
    """A person says, with evidence, that the step was settled outside: it is not tried any more."""
    COMPLETED = "completed"
    COMPENSATED = "compensated"


LEADS_TO = {
    Kind.GAVE_UP: Phase.BARRING,
    Kind.REFUSED: Phase.COMPENSATING,
    Kind.PIVOT_BARRED: Phase.COMPENSATING,
    Kind.PIVOT_DONE: Phase.FINISHING,
    Kind.COMPLETED: Phase.COMPLETED,
    Kind.COMPENSATED: Phase.COMPENSATED,
}
"""The phase a saga is in from that entry on; the other entries change none."""


class Operation(StrEnum):
    """What a message asks of a step."""

    ACTION = "action"
    COMPENSATION = "compensation"
    BAR = "bar"


@dataclass(frozen=True)
class State:
    """What the saga row says. `failures` counts failed tries in a row, by step, in this phase."""

    phase: Phase = Phase.RUNNING
    token: int = 1
    in_flight: bool = True
    done: frozenset[str] = frozenset()
    undone: frozenset[str] = frozenset()
    backing_off: frozenset[str] = frozenset()
    """Compensations that failed and wait, so that they do not hold up the others."""
    parked: frozenset[str] = frozenset()
    settled: frozenset[str] = frozenset()
    """Steps after the pivot that count as done because a person says so, whatever their service answers."""
    paused: bool = False
    """Nothing is sent until somebody unpauses it; what is under way still reports."""
    failures: Mapping[str, int] = field(default_factory=dict)
    failure: Mapping[str, Any] | None = None
    """Why the saga gave up: code, detail, and under "refused" the step that refused, if one did."""


@dataclass(frozen=True)
class Entry:
    """A saga log entry to be. `at` is when it happened, if that is not now."""

    kind: Kind
    step: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True)
class Forward:
    """Send the actions from this position on."""

    position: int


@dataclass(frozen=True)
class Bar:
    """Send the bar of the pivot."""


@dataclass(frozen=True)
class Undo:
    """Send the compensations of these steps, in this order."""

    steps: tuple[str, ...]


Command = Forward | Bar | Undo


@dataclass(frozen=True)
class Decision:
    """`due` is how long until recovery looks again: a span, a time, or None for "only when somebody reports".

    With a command, `due` is how much longer than usual the answer may be waited for.
    """

    state: State
    entries: tuple[Entry, ...] = ()
    command: Command | None = None
    due: timedelta | datetime | None = None
