"""Checks, before workers of this code start, that it can continue every unfinished saga."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from celery import current_app
from django.conf import settings

from orchestration.contracts.codec import Malformed, decode
from orchestration.contracts.command import Action, Compensation, required_fields
from orchestration.engine.reports import READERS
from orchestration.engine.row_mapping import state_of
from orchestration.messaging import routing
from orchestration.models import ALIAS, SagaInstance
from orchestration.protocol.itinerary import bar_task
from orchestration.protocol.next_command import next_position, pending_compensations
from orchestration.protocol.saga import IMPLICIT, Saga, Step
from orchestration.protocol.states import ENDED, PIVOT_OPEN, Phase, State
from orchestration.sagas import UnknownDefinition, definition_of, definitions

CHUNK = 1_000
"""Sagas read at a time."""


@dataclass
class Inspection:
    """The number of sagas checked, by definition, and the problems found: sagas by reason."""

    checked: dict[str, int]
    """The number of unfinished sagas of each definition, 0 for an unused definition of this code."""
    problems: dict[str, list[UUID]] = field(default_factory=lambda: defaultdict(list))


def inspect() -> Inspection:
    """Check every unfinished saga against this code."""
    found = Inspection(dict.fromkeys(definitions, 0))
    unfinished = SagaInstance.objects.using(ALIAS).exclude(phase__in=ENDED).order_by("pk")
    for instance in unfinished.iterator(CHUNK):
        found.checked[instance.definition] = found.checked.get(instance.definition, 0) + 1
        for problem in problems_of(instance):
            found.problems[problem].append(instance.pk)
    return found


def problems_of(instance: SagaInstance) -> Iterator[str]:
    """Yield the reasons why this code cannot continue the saga, as sentences without its id."""
    try:
        saga = definition_of(instance.definition)
    except UnknownDefinition as error:
        yield str(error)
        return
    state = state_of(instance)
    yield from sorted({problem for task in _tasks_needed(saga, state) if (problem := _task_problem(saga, task))})
    yield from _unreadable(saga, saga.request.__name__, saga.request, instance.request)
    known = instance.request | instance.answers | {"saga_id": str(instance.pk)}
    to_come = _still_to_come(saga, state)
    for command in _commands_needed(saga, state):
        yield from _contract_problems(saga, command, known, to_come)


def _commands_needed(saga: Saga, state: State) -> Iterator[Action | Compensation]:
    """Yield the commands that may still be sent for a saga in this state."""
    if state.phase is Phase.COMPENSATING:
        yield from _compensations(saga.by_name[name] for name in pending_compensations(saga, state))
        return
    rest = saga.steps[next_position(saga, state) :]
    yield from (step.action for step in rest if step.name not in state.skipped)
    if state.phase in PIVOT_OPEN:
        yield from _compensations(step for step in saga.compensable if step.name not in state.skipped)


def _compensations(steps: Iterator[Step]) -> Iterator[Compensation]:
    return (step.compensation for step in steps if step.compensation is not None)


def _tasks_needed(saga: Saga, state: State) -> Iterator[str]:
    yield from (command.name for command in _commands_needed(saga, state))
    if state.phase in PIVOT_OPEN:
        yield bar_task(saga.pivot.action.service)
    yield from READERS


def _task_problem(saga: Saga, task: str) -> str | None:
    if task not in current_app.tasks:
        return f"{saga.name}: no task is called {task}"
    if routing.queue_of(task) not in {queue.name for queue in settings.TOPOLOGY.queues}:
        return f"{saga.name}: {task} is routed to {routing.queue_of(task)!r}, which is not declared"
    return None


def _still_to_come(saga: Saga, state: State) -> set[str]:
    """Return the names of the facts that steps have not answered yet."""
    over = state.done | state.skipped
    return {name for step in saga.steps if step.name not in over for name in step.action.provides}


def _contract_problems(
    saga: Saga, command: Action | Compensation, known: Mapping[str, Any], to_come: set[str]
) -> Iterator[str]:
    """Decode a command whose facts are all known, as its participant would. For other commands compare the names."""
    needed = set(required_fields(command.request)) - IMPLICIT
    missing = needed - known.keys()
    if not missing:
        yield from _unreadable(saga, command.name, command.request, known)
    for name in sorted(missing - to_come):
        yield f"{saga.name}: {command.name} needs {name}, which this saga does not know"


def _unreadable(saga: Saga, name: str, contract: type, data: Mapping[str, Any]) -> Iterator[str]:
    try:
        decode(contract, data)
    except Malformed as error:
        yield f"{saga.name}: {name} cannot be read: {error}"
