"""The status of a saga in one word, read from its row alone, in Python and in SQL."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import reduce
from operator import or_

from django.db.models import Q

from orchestration.models import OFF_THE_STRAIGHT_WAY, UNFINISHED, SagaInstance
from orchestration.operators.insight.current_step import current_step_of, has_current_step
from orchestration.protocol.states import ENDED, Phase
from orchestration.text import formatting


class SagaStatus(StrEnum):
    """The status of a saga: the last of these that applies."""

    RUNNING = "running"
    """It moves forward, and no step is failing."""
    COMPENSATING = "compensating"
    GIVING_UP = "giving_up"
    """It is being given up: its pivot is being barred, and may turn out to be done."""
    RETRYING = "retrying"
    """A step has failed, and waits for its next try or is being tried again."""
    WAITING = "waiting"
    """It waits for a lock, for a breaker to close or for the broker to return. This is no failed try."""
    PARKED = "parked"
    """A step needs an operator."""
    PAUSED = "paused"
    """Nothing is sent until an operator unpauses it."""
    COMPLETED = "completed"
    COMPENSATED = "compensated"


ENDS = frozenset({SagaStatus.COMPLETED, SagaStatus.COMPENSATED})
_BEFORE_THE_END = frozenset(SagaStatus) - ENDS
ANY_UNFINISHED = "unfinished"
"""The word that stands for every status except the two ends, where statuses are chosen."""
WORDS_FOR_STATUSES = (ANY_UNFINISHED, *(status.value for status in SagaStatus))
_BY_PHASE = {
    Phase.RUNNING: SagaStatus.RUNNING,
    Phase.FINISHING: SagaStatus.RUNNING,
    Phase.BARRING: SagaStatus.GIVING_UP,
    Phase.COMPENSATING: SagaStatus.COMPENSATING,
}


@dataclass(frozen=True)
class Attempt:
    """The try of the current step that is next or under way, counted from 1; `next_at` is set while it waits."""

    step: str
    number: int
    next_at: datetime | None

    def in_words(self, now: datetime) -> str:
        """Describe the attempt, such as "attempt 2, next in 12 s"; empty for a first attempt that does not wait."""
        if self.next_at is None:
            return f"attempt {self.number}" if self.number > 1 else ""
        wait = formatting.span(self.next_at - now) if self.next_at > now else ""
        return f"attempt {self.number}, next " + (f"in {wait}" if wait else "now")


def status_of(instance: SagaInstance) -> SagaStatus:
    """Return the status that the row shows."""
    phase = Phase(instance.phase)
    if phase in ENDED:
        return SagaStatus(phase.value)
    if instance.paused:
        return SagaStatus.PAUSED
    if instance.parked:
        return SagaStatus.PARKED
    if instance.waits:
        return SagaStatus.WAITING
    return SagaStatus.RETRYING if instance.failing_step else _BY_PHASE[phase]


def statuses_meant(words: Collection[str]) -> frozenset[SagaStatus]:
    """Return the statuses that `WORDS_FOR_STATUSES` stand for."""
    named = frozenset(SagaStatus(word) for word in words if word != ANY_UNFINISHED)
    return named | _BEFORE_THE_END if ANY_UNFINISHED in words else named


def has_one_of(statuses: frozenset[SagaStatus]) -> Q:
    """Match sagas whose status is among these, at least one."""
    if statuses == _BEFORE_THE_END:
        return UNFINISHED
    return reduce(or_, (has_status(status) for status in sorted(statuses)))


def has_status(status: SagaStatus) -> Q:
    """Match sagas whose `status_of` is this status."""
    match status:
        case SagaStatus.COMPLETED:
            return Q(phase=Phase.COMPLETED)
        case SagaStatus.COMPENSATED:
            return OFF_THE_STRAIGHT_WAY & Q(phase=Phase.COMPENSATED)
        case SagaStatus.PAUSED:
            return UNFINISHED & Q(paused=True)
        case SagaStatus.PARKED:
            return UNFINISHED & Q(parked=True, paused=False)
        case SagaStatus.WAITING:
            return UNFINISHED & Q(waits=True, parked=False, paused=False)
        case SagaStatus.RETRYING:
            return UNFINISHED & ~Q(failing_step="") & Q(waits=False, parked=False, paused=False)
        case _:
            return UNFINISHED & Q(failing_step="", waits=False, parked=False, paused=False) & _by_phase(status)


def is_being_undone() -> Q:
    """Match sagas that are being given up or compensated, also while a retry, a breaker or a pause delays that.

    Sagas that are `PARKED` are left out: nothing happens to them until an operator acts.
    """
    return OFF_THE_STRAIGHT_WAY & Q(phase__in=[Phase.BARRING, Phase.COMPENSATING]) & (Q(parked=False) | Q(paused=True))


def step_of(instance: SagaInstance) -> str:
    """Return the failing step, else the step whose answer is pending next.

    It is empty if there is none or if this code lacks the definition.
    """
    return instance.failing_step or current_step_of(instance).step


def is_at(step: str) -> Q:
    """Match sagas whose `step_of` is this step."""
    return UNFINISHED & (Q(failing_step=step) | Q(failing_step="") & has_current_step(step))


def attempt_of(instance: SagaInstance) -> Attempt | None:
    """Return the try of the current step that is next or under way; None if the saga has ended or needs an operator."""
    if status_of(instance) in ENDS | {SagaStatus.PAUSED, SagaStatus.PARKED}:
        return None
    next_at = None if instance.in_flight else instance.due_at
    return Attempt(step_of(instance), instance.failed_tries + 1, next_at)


def _by_phase(status: SagaStatus) -> Q:
    match status:
        case SagaStatus.GIVING_UP:
            return OFF_THE_STRAIGHT_WAY & Q(phase=Phase.BARRING)
        case SagaStatus.COMPENSATING:
            return OFF_THE_STRAIGHT_WAY & Q(phase=Phase.COMPENSATING)
        case _:
            return Q(phase__in=[Phase.RUNNING, Phase.FINISHING])
