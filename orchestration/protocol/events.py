"""The events that change a saga: reports of steps, due times, and interventions of customers and operators."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from orchestration.protocol.states import Operation
from orchestration.text.cleaning import harmless

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
