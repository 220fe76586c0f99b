"""The events that change a saga: reports of steps, due times, and interventions of customers and operators."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from orchestration.protocol.states import Operation
from orchestration.text.cleaning import harmless

CompletedSteps = tuple[tuple[str, datetime], ...]
"""Names of steps with the time at which each was done or undone, as a message gathered them along its chain."""


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
    """A step failed. `until` is set when a breaker was open until then, so no call was made; `permanent` parks at once.

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
    """Every step is done."""

    done: CompletedSteps


@dataclass(frozen=True)
class PivotBarred:
    """The bar holds: the pivot can no longer be done."""


@dataclass(frozen=True)
class PivotFoundDone:
    """The bar does not hold: the pivot was done before it."""


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
    """An operator has the saga compensated, parked steps included."""

    by: str
    reason: str


@dataclass(frozen=True)
class Resumed:
    """An operator has pending steps tried now, parked ones included."""

    by: str
    reason: str


@dataclass(frozen=True)
class Retried:
    """An operator has pending steps tried now, parked ones excluded."""

    by: str
    reason: str


@dataclass(frozen=True)
class Paused:
    """An operator has no commands sent for the saga."""

    by: str
    reason: str


@dataclass(frozen=True)
class Unpaused:
    """An operator ends the pause."""

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
    | ChainCompleted
    | PivotBarred
    | PivotFoundDone
    | StepsUndone
    | DeadlinePassed
    | Due
    | Intervention
)
