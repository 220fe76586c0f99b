"""What a saga is doing, in one word and read off its row alone, in Python as in SQL."""

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
    """Each saga has one: the first of these that it meets, from the end upwards."""

    RUNNING = "running"
    """On its way; nothing has gone wrong that is not behind it."""
    COMPENSATING = "compensating"
    GIVING_UP = "giving_up"
    """Being given up, while it is not certain yet that its pivot has not happened."""
    RETRYING = "retrying"
    """A step has failed: it waits for its next try, or is under way again."""
    WAITING = "waiting"
    """For a breaker to close, or for the broker to be back: nothing is tried meanwhile."""
    PARKED = "parked"
    """A step waits for a person."""
    PAUSED = "paused"
    """Nothing is sent until somebody unpauses it."""
    COMPLETED = "completed"
    COMPENSATED = "compensated"


ENDS = frozenset({SagaStatus.COMPLETED, SagaStatus.COMPENSATED})
_BEFORE_THE_END = frozenset(SagaStatus) - ENDS
STILL_TO_END = "unfinished"
"""Stands for every status but these two, where somebody says which are wanted."""
WORDS_FOR_STATUSES = (STILL_TO_END, *(status.value for status in SagaStatus))
_BY_PHASE = {
    Phase.RUNNING: SagaStatus.RUNNING,
    Phase.FINISHING: SagaStatus.RUNNING,
    Phase.BARRING: SagaStatus.GIVING_UP,
    Phase.COMPENSATING: SagaStatus.COMPENSATING,
}


@dataclass(frozen=True)
class Attempt:
    """Which try of the current step comes next or is under way, from 1; `next_at` when it waits for its time."""

    step: str
    number: int
    next_at: datetime | None

    def said(self, now: datetime) -> str:
        """Describe the attempt, such as "attempt 2, next in 12 s"; empty for a first one that goes well."""
        if self.next_at is None:
            return f"attempt {self.number}" if self.number > 1 else ""
        wait = formatting.span(self.next_at - now) if self.next_at > now else ""
        return f"attempt {self.number}, next " + (f"in {wait}" if wait else "now")


def status_of(instance: SagaInstance) -> SagaStatus:
    """Read its status off the row."""
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
    named = frozenset(SagaStatus(word) for word in words if word != STILL_TO_END)
    return named | _BEFORE_THE_END if STILL_TO_END in words else named


def has_one_of(statuses: frozenset[SagaStatus]) -> Q:
    """Match sagas whose status is among these, at least one."""
    if statuses == _BEFORE_THE_END:
        return UNFINISHED
    return reduce(or_, (has_status(status) for status in sorted(statuses)))


def has_status(status: SagaStatus) -> Q:
    """Match sagas of which `status_of` says so."""
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
    """Match sagas that are given up or compensated, whatever holds that up: a step that is retried, a breaker, a pause.

    Those that are `PARKED` are left out: nothing is done before a person acts.
    """
    return OFF_THE_STRAIGHT_WAY & Q(phase__in=[Phase.BARRING, Phase.COMPENSATING]) & (Q(parked=False) | Q(paused=True))


def step_of(instance: SagaInstance) -> str:
    """Return the step that fails, else the one whose answer is pending next; empty if there is none or this code cannot
    know."""
    return instance.failing_step or current_step_of(instance).step


def is_at(step: str) -> Q:
    """Match sagas of which `step_of` says so."""
    return UNFINISHED & (Q(failing_step=step) | Q(failing_step="") & has_current_step(step))


def attempt_of(instance: SagaInstance) -> Attempt | None:
    """Return the try of its current step that is next or in progress; None if it has ended or waits for an operator."""
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
