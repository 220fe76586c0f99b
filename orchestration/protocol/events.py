"""The events that change a saga: reports of steps, due times, and interventions of customers and operators."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from orchestration.protocol.states import Operation
from orchestration.text.cleaning import harmless

CompletedSteps = tuple[tuple[str, datetime], ...]
"""Names of steps with the time at which each was done or undone, as a message gathered them along its chain."""


class Contradiction(Exception):
    """The report is impossible under the protocol: an invariant is broken, or a participant reported a false fact."""


@dataclass(frozen=True)
class StepRefused:
    """A step was refused. The refusal may quote the external system, so it is made harmless (`text.cleaning`)."""

    step: str
    refusal: Mapping[str, Any]
    done: CompletedSteps = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "refusal", harmless(self.refusal))


@dataclass(frozen=True)
class StepFailed:
    """A step failed. The error may quote the external system, so it is made harmless like a refusal.

    `until` is set when no call was made because a breaker is open until then. With `permanent` no retry can help.
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
class StepWaits:
    """A step waits for the lock on `resource`, which the saga `holder` holds.

    `before` is the number of other waiting sagas that get the lock earlier. `since` is when the saga began to wait, by
    the clock of the step's service.
    """

    step: str
    token: int
    resource: str
    holder: UUID
    before: int
    since: datetime
    done: CompletedSteps = ()


@dataclass(frozen=True)
class LockGranted:
    """The lock that the step waits for was handed over to the saga."""

    step: str


@dataclass(frozen=True)
class DeadlockFound:
    """The saga is in a deadlock, and it is the one to give up, for this reason.

    Each saga of `cycle` waits for the next one, and the last for the first. `resources` and `definitions` have, in the
    same order, what each of them waits for and how it is defined.
    """

    cycle: tuple[UUID, ...]
    resources: tuple[str, ...]
    definitions: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class ChainCompleted:
    """Every step is done."""

    done: CompletedSteps


@dataclass(frozen=True)
class PivotBarred:
    """The pivot is barred, so it can no longer be done."""


@dataclass(frozen=True)
class PivotFoundDone:
    """The pivot could not be barred, because it was done already."""


@dataclass(frozen=True)
class StepsUndone:
    """These steps are compensated."""

    undone: CompletedSteps


@dataclass(frozen=True)
class DeadlinePassed:
    """The deadline of the saga has passed."""


@dataclass(frozen=True)
class Due:
    """The saga is due. With `lost`, the message sent under `token` is known to be lost."""

    lost: bool = False
    token: int | None = None


@dataclass(frozen=True)
class CancelRequested:
    """The customer cancels, or the operator `by` does so for them."""

    by: str = ""
    reason: str = ""


@dataclass(frozen=True)
class CompensationRequested:
    """An operator asks to compensate the saga, parked steps included."""

    by: str
    reason: str


@dataclass(frozen=True)
class Resumed:
    """An operator asks to try the pending steps now, parked ones included."""

    by: str
    reason: str


@dataclass(frozen=True)
class Retried:
    """An operator asks to try the pending steps now, except parked ones."""

    by: str
    reason: str


@dataclass(frozen=True)
class Paused:
    """An operator asks to send no more commands of the saga."""

    by: str
    reason: str


@dataclass(frozen=True)
class Unpaused:
    """An operator asks to send commands of the saga again."""

    by: str
    reason: str


@dataclass(frozen=True)
class StepSettled:
    """An operator settled the step externally. Its ledger row states this already."""

    step: str
    by: str
    reason: str
    evidence: str


Intervention = CancelRequested | CompensationRequested | Resumed | Retried | Paused | Unpaused | StepSettled


Event = (
    StepRefused
    | StepFailed
    | StepWaits
    | LockGranted
    | DeadlockFound
    | ChainCompleted
    | PivotBarred
    | PivotFoundDone
    | StepsUndone
    | DeadlinePassed
    | Due
    | Intervention
)
