"""What a saga can be, what can happen to it, and what it can ask for: values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from orchestration.text.cleaning import harmless


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


# Events. `done` and `undone` list (step, when) as the message gathered them along its chain.
CompletedSteps = tuple[tuple[str, datetime], ...]


@dataclass(frozen=True)
class StepRefused:
    """A step was refused. The refusal may quote the external system, so it is made harmless."""

    step: str
    refusal: Mapping[str, Any]
    done: CompletedSteps = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "refusal", harmless(self.refusal))


@dataclass(frozen=True)
class StepFailed:
    """`until` is set if no call was made because a breaker is open until then; `permanent` parks at once.

    The error may quote the external system, so it is made harmless like a refusal.
    """

    step: str
    operation: Operation
    token: int
    error: Mapping[str, Any]
    done: CompletedSteps = ()
    until: datetime | timedelta | None = None
    permanent: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "error", harmless(self.error))


@dataclass(frozen=True)
class ChainCompleted:
    done: CompletedSteps


@dataclass(frozen=True)
class PivotBarred:
    pass


@dataclass(frozen=True)
class PivotFoundDone:
    pass


@dataclass(frozen=True)
class StepsUndone:
    undone: CompletedSteps


@dataclass(frozen=True)
class DeadlinePassed:
    pass


@dataclass(frozen=True)
class Due:
    """The wait is over; with `lost`, what was sent at `token` is known to have been lost."""

    lost: bool = False
    token: int | None = None


@dataclass(frozen=True)
class CancelRequested:
    """Its customer does not want it any more, or an operator says so for them (`by`)."""

    by: str = ""
    reason: str = ""


@dataclass(frozen=True)
class CompensationRequested:
    """An operator says: bring it back to where it began, parked steps too."""

    by: str
    reason: str


@dataclass(frozen=True)
class Resumed:
    """An operator says: try again now, also what is parked."""

    by: str
    reason: str


@dataclass(frozen=True)
class Retried:
    """An operator says: do not wait any longer."""

    by: str
    reason: str


@dataclass(frozen=True)
class Paused:
    """An operator says: send nothing."""

    by: str
    reason: str


@dataclass(frozen=True)
class Unpaused:
    """An operator says: go on."""

    by: str
    reason: str


@dataclass(frozen=True)
class StepSettled:
    """A person has settled the step outside, and its ledger row says so already."""

    step: str
    by: str
    reason: str
    evidence: str


Intervention = CancelRequested | CompensationRequested | Resumed | Retried | Paused | Unpaused | StepSettled

Event = (
    StepRefused
    | StepFailed
    | ChainCompleted
    | PivotBarred
    | PivotFoundDone
    | StepsUndone
    | DeadlinePassed
    | Due
    | Intervention
)
