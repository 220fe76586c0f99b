"""Counts what signals report after commits, in batches. This adds no statement, commit or message."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from orchestration.contracts.command import Action
from orchestration.execution.results import Ending
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.participant.breaker import BreakerOpen
from orchestration.participant.outcomes import Barred, BarResult, Done, Queued, Refused, Superseded
from orchestration.participant.participant import participants
from orchestration.protocol.itinerary import bar_task
from orchestration.protocol.states import Kind, Operation
from orchestration.signals import lock_broken, lock_waits_ended, sagas_moved, steps_ended
from orchestration.telemetry import local_counts, metric_definitions
from orchestration.telemetry.metric_definitions import Key

Counted = Iterator[tuple[Key, float]]


def listen() -> None:
    """Count from now on what signals report in this process."""
    sagas_moved.connect(_count_moves)
    lock_waits_ended.connect(_count_lock_waits)
    lock_broken.connect(_count_lock_break)
    steps_ended.connect(_count_steps)


def _count_moves(moves: Sequence[tuple[SagaInstance, Sequence[SagaLogEntry]]], **_: Any) -> None:
    local_counts.add(each for saga, entries in moves for each in _of_move(saga, entries))


def _count_lock_waits(waits: Sequence[tuple[str, timedelta]], **_: Any) -> None:
    local_counts.add(
        each
        for resource, waited in waits
        for each in metric_definitions.LOCK_WAIT.seen(waited.total_seconds(), resource.partition(":")[0])
    )


def _count_lock_break(resource: str, **_: Any) -> None:
    local_counts.add([(metric_definitions.LOCK_BREAKS.key(resource.partition(":")[0]), 1)])


def _count_steps(endings: Sequence[Ending], **_: Any) -> None:
    now = time.monotonic()
    local_counts.add(each for ending in endings for each in _of_step(ending, now))
    sagas = {ending.message.kwargs["saga_id"] for ending in endings}
    if duplicates := len(endings) - len(sagas):  # several messages of one saga in a batch are run once
        local_counts.add([(metric_definitions.DUPLICATES.key(endings[0].message.kwargs["step"]), duplicates)])


def _of_move(saga: SagaInstance, entries: Sequence[SagaLogEntry]) -> Counted:
    for entry in entries:
        if key_of := _KEYS.get(entry.kind):
            yield key_of(saga.definition, entry), 1
            if cycle := entry.detail.get("definitions"):  # only the end of a deadlock names them
                yield metric_definitions.DEADLOCKS.key(saga.definition, " ".join(sorted(set(cycle)))), 1
        elif entry.kind == Kind.FAILED and _is_tried_again(entry, entries):
            yield metric_definitions.RETRIES.key(entry.step, _error(entry)), 1
    if saga.ended_at:
        yield metric_definitions.ENDED.key(saga.definition, saga.phase), 1
        took = (saga.ended_at - saga.created_at).total_seconds()
        yield from metric_definitions.END_TO_END.seen(took, saga.definition, saga.phase)


def _is_tried_again(failed: SagaLogEntry, entries: Sequence[SagaLogEntry]) -> bool:
    """Return whether the same decision neither parked the step nor gave the saga up."""
    return not any(
        entry.kind == Kind.GAVE_UP or (entry.kind == Kind.PARKED and entry.step == failed.step) for entry in entries
    )


def _of_step(ending: Ending, now: float) -> Counted:
    message = ending.message
    step, operation = message.kwargs["step"], operations().get(message.task, "")
    yield from metric_definitions.STEP.seen(now - message.began, step, operation)
    yield metric_definitions.OUTCOMES.key(step, operation, outcome_of(ending)), 1
    if is_repeated(ending):
        yield metric_definitions.DUPLICATES.key(step), 1


def outcome_of(ending: Ending) -> str:
    """Return one word for a step's outcome."""
    return _OUTCOMES.get(type(ending.outcome), "failed")


def is_repeated(ending: Ending) -> bool:
    """Return whether the ledger repeated an earlier outcome."""
    return isinstance(ending.outcome, Done | Refused) and ending.outcome.repeated


@cache
def operations() -> dict[str, str]:
    """Return the `Operation` of each task of the participants, by task name."""
    found = {bar_task(service): Operation.BAR.value for service in participants()}
    for participant in participants().values():
        for command in participant.commands:
            operation = Operation.ACTION if isinstance(command, Action) else Operation.COMPENSATION
            found[command.name] = operation.value
    return found


def _error(entry: SagaLogEntry) -> str:
    """Return the error's class, or a refusal's code. Never use the message: it has too many values for a label."""
    return str(entry.detail.get("class") or entry.detail.get("code") or "unknown")


def _dispatch(definition: str, entry: SagaLogEntry) -> Key:
    return metric_definitions.DISPATCHES.key(
        definition, entry.detail["what"], "true" if entry.detail.get("lost") else "false"
    )


def _code(entry: SagaLogEntry) -> str:
    return str(entry.detail.get("code", "unknown"))


_KEYS: Mapping[str, Callable[[str, SagaLogEntry], Key]] = {
    Kind.STARTED: lambda definition, _: metric_definitions.STARTED.key(definition),
    Kind.SENT: _dispatch,
    Kind.REFUSED: lambda _, entry: metric_definitions.REFUSALS.key(entry.step, _code(entry)),
    Kind.WAITING: lambda _, entry: metric_definitions.WAITS.key(entry.step),
    Kind.PARKED: lambda _, entry: metric_definitions.PARKINGS.key(entry.step, _error(entry)),
    Kind.GAVE_UP: lambda definition, entry: metric_definitions.GIVEN_UP.key(definition, _code(entry)),
    Kind.RESUMED: lambda definition, _: metric_definitions.RESUMPTIONS.key(definition),
}
"""The count that one log entry adds one to. Other kinds are counted elsewhere or not at all."""
_OUTCOMES = {
    Done: "done",
    BarResult: "done",
    Refused: "refused",
    Barred: "barred",
    Superseded: "superseded",
    Queued: "waiting",
    BreakerOpen: "breaker_open",
}
