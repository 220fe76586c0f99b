"""The state of a saga, its log entries, its commands and decisions, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID


class Phase(StrEnum):
    """The phase of a saga. It never goes back.

    Running, then barring if the saga is given up, then finishing and completed, or compensating and compensated.
    """

    RUNNING = "running"
    BARRING = "barring"
    """The saga is given up. Its pivot is being barred, because it may still be done."""
    COMPENSATING = "compensating"
    FINISHING = "finishing"
    """The pivot is done; the rest is pending."""
    COMPLETED = "completed"
    COMPENSATED = "compensated"


ENDED = frozenset({Phase.COMPLETED, Phase.COMPENSATED})
PIVOT_OPEN = frozenset({Phase.RUNNING, Phase.BARRING})
"""The phases in which it is not decided whether the pivot is done."""
UNDOING = frozenset({Phase.COMPENSATING, Phase.COMPENSATED})
LOST = "?"
"""The key in `State.failures` that counts lost messages. It is unknown which step's message was lost."""


class Kind(StrEnum):
    """The kinds of saga log entries."""

    STARTED = "started"
    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    WAITING = "waiting"
    QUEUED = "queued"
    """A step waits for a lock. It is written again only when another saga holds the lock."""
    GAVE_UP = "gave_up"
    CANCELLED = "cancelled"
    """A saga that is compensated to end a deadlock was cancelled. Its work is not tried again."""
    PIVOT_BARRED = "pivot_barred"
    PIVOT_DONE = "pivot_done"
    UNDONE = "undone"
    PARKED = "parked"
    RESUMED = "resumed"
    """An operator resumed the saga, parked steps included."""
    RETRIED = "retried"
    """An operator ended the waits of the saga."""
    PAUSED = "paused"
    UNPAUSED = "unpaused"
    SETTLED = "settled"
    """An operator stated, with evidence, that the step was settled externally. It is not tried again."""
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
"""The phase that an entry of this kind begins. Other kinds change no phase."""


class Operation(StrEnum):
    """What a message asks of a step: do it, undo it, or bar it."""

    ACTION = "action"
    COMPENSATION = "compensation"
    BAR = "bar"


@dataclass(frozen=True)
class LockWait:
    """The wait of a step for the lock on `resource`. `holder` is the saga that holds the lock."""

    step: str
    resource: str
    holder: UUID
    since: datetime


@dataclass(frozen=True)
class State:
    """The state of a saga as in its row. `failures` counts consecutive failed tries of each step in this phase."""

    phase: Phase = Phase.RUNNING
    token: int = 1
    in_flight: bool = True
    done: frozenset[str] = frozenset()
    undone: frozenset[str] = frozenset()
    backing_off: frozenset[str] = frozenset()
    """Compensations that failed and wait for a retry. The other compensations continue."""
    parked: frozenset[str] = frozenset()
    settled: frozenset[str] = frozenset()
    """Steps after the pivot that count as done because an operator stated it, whatever their service answers."""
    skipped: frozenset[str] = frozenset()
    """Conditional steps that the request does not need. This is decided at the start."""
    paused: bool = False
    """No command is sent until an operator unpauses the saga. Steps that are running still report."""
    failures: Mapping[str, int] = field(default_factory=dict)
    failure: Mapping[str, Any] | None = None
    """Why the saga gave up: code, detail, and under "refused" the step that refused, if one did."""
    wait: LockWait | None = None
    """The lock that the saga waits for, as last reported. While the saga asks again, it still waits."""


@dataclass(frozen=True)
class Entry:
    """A saga log entry to write. `at` is the time of the event, if that is not now."""

    kind: Kind
    step: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True)
class Forward:
    """Send the actions from this position on, without the skipped steps."""

    position: int
    skipped: frozenset[str] = frozenset()


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
    """The result of an event: the new state, log entries, and the command to send.

    `due` is when recovery checks the saga next: a span, a time, or None to wait for a report. With a command, `due` is
    added to the usual wait for its report. `latest` is the latest time of a `due` without a command.
    """

    state: State
    entries: tuple[Entry, ...] = ()
    command: Command | None = None
    due: timedelta | datetime | None = None
    latest: datetime | None = None
