"""The current step of a saga, read from its row. Ledgers are not read: progress of a running chain does not show."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from orchestration.engine.row_mapping import state_of
from orchestration.models import SagaInstance
from orchestration.protocol.next_command import pending_compensations
from orchestration.protocol.saga import Saga, Step
from orchestration.protocol.states import ENDED, Phase, State
from orchestration.sagas import UnknownDefinition, definition_of, definitions


@dataclass(frozen=True)
class CurrentStep:
    """The step whose answer is pending next: `step` is "" if there is none or if this code lacks the definition."""

    step: str
    attempts: int
    """The number of failed tries of the step in a row, plus the try that is under way."""
    parked: tuple[str, ...]


def current_step_of(instance: SagaInstance) -> CurrentStep:
    """Read the current step of the saga from its row."""
    state = state_of(instance)
    step = _current_step(instance.definition, state)
    under_way = state.in_flight and step not in state.backing_off | state.parked
    attempts = state.failures.get(step, 0) + under_way if step else 0
    return CurrentStep(step, attempts, tuple(sorted(state.parked)))


def known_steps() -> list[str]:
    """Return every step of every definition, in order."""
    return list(dict.fromkeys(step.name for saga in definitions.values() for step in saga.steps))


def has_current_step(step: str) -> Q:
    """Match sagas whose `current_step_of` is this step."""
    condition = Q(pk__in=[])
    for saga in definitions.values():
        if step in saga.by_name:
            condition |= Q(definition=saga.name) & _has_current_step(saga, step)
    return ~Q(phase__in=list(ENDED)) & condition


def _current_step(definition: str, state: State) -> str:
    try:
        saga = definition_of(definition)
    except UnknownDefinition:
        return ""
    match state.phase:
        case Phase.RUNNING:
            steps = [step.name for step in saga.steps if step.name not in state.done | state.skipped]
        case Phase.FINISHING:
            steps = [step.name for step in _retriable(saga) if step.name not in state.done | state.skipped]
        case Phase.BARRING:
            steps = [saga.pivot.name]
        case Phase.COMPENSATING:
            steps = list(pending_compensations(saga, state))
        case _:
            steps = []
    return steps[0] if steps else ""


def _has_current_step(saga: Saga, step: str) -> Q:
    """Express `_current_step` in SQL."""
    condition = Q(phase=Phase.RUNNING) & _first_not_done(saga.steps, step)
    if step == saga.pivot.name:
        condition |= Q(phase=Phase.BARRING)
    if saga.by_name[step] in _retriable(saga):
        condition |= Q(phase=Phase.FINISHING) & _first_not_done(_retriable(saga), step)
    if saga.by_name[step] in saga.compensable:
        condition |= Q(phase=Phase.COMPENSATING) & _last_pending(saga, step)
    return condition


def _first_not_done(steps: Sequence[Step], step: str) -> Q:
    position = [each.name for each in steps].index(step)
    condition = ~_is_over(steps[position])
    if before := [each.name for each in steps[:position] if each.when is None]:
        condition &= Q(progress__contains={"done": before})
    for each in steps[:position]:
        if each.when is not None:
            condition &= _is_over(each)
    return condition


def _is_over(step: Step) -> Q:
    return Q(progress__contains={"done": [step.name]}) | _is_skipped(step)


def _is_skipped(step: Step) -> Q:
    return Q() if step.when is None else Q(progress__contains={"skipped": [step.name]})


def _last_pending(saga: Saga, step: str) -> Q:
    condition = ~_needs_no_undo(saga.by_name[step])
    for later in saga.compensable[saga.position_of(step) + 1 :]:
        condition &= _needs_no_undo(later)
    return condition


def _needs_no_undo(step: Step) -> Q:
    undone = Q(progress__contains={"undone": [step.name]}) | Q(failure__contains={"refused": step.name})
    return undone | _is_skipped(step)


def _retriable(saga: Saga) -> tuple[Step, ...]:
    return saga.steps[saga.pivot_position + 1 :]
