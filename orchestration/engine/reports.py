"""What the orchestrator hears, read: a report's arguments as an event and what was learned on the way."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from orchestration.contracts.codec import Malformed
from orchestration.engine.saga_event import SagaEvent
from orchestration.protocol.itinerary import CHAIN_COMPLETED, PIVOT_SETTLED, STEP_FAILED, STEP_REFUSED, STEPS_UNDONE
from orchestration.protocol.states import (
    ChainCompleted,
    Event,
    Operation,
    PivotBarred,
    PivotFoundDone,
    StepFailed,
    StepRefused,
    StepsUndone,
    Trail,
)

Carried = dict[str, Any]
NOTHING: Carried = {"known": {}, "trail": []}


def read(name: str, args: Sequence[Any], facts: Mapping[str, Any]) -> SagaEvent:
    """Read the arguments of the report of this name.

    :raises Malformed: when they are not what `canvas` has it sent with.
    """
    try:
        told = dict(facts)
        saga_id = UUID(told.pop("saga_id"))
        event, carried = READERS[name](*args, **told)
        return SagaEvent(saga_id, event, dict(carried["known"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(f"not a report: {error!r}") from error


def chain_completed(carried: Carried, *, token: int) -> tuple[Event, Carried]:
    return ChainCompleted(done=_trail(carried)), carried


def step_refused(carried: Carried, *, token: int, step: str, refusal: dict[str, Any]) -> tuple[Event, Carried]:
    return StepRefused(step=step, refusal=refusal, done=_trail(carried)), carried


def step_failed(
    task_id: str,
    *,
    token: int,
    step: str,
    operation: str,
    error: dict[str, Any] | None = None,
    carried: Carried | None = None,
    until: str | None = None,
    hopeless: bool = False,
) -> tuple[Event, Carried]:
    """Read the report that `link_error` sent. Without `error`, the result row of `task_id` may hold the reason.

    `until` is by the sender's clock. If the error holds the length of the wait, use that instead: it needs no clock.
    """
    operated = Operation(operation)
    told, said = carried or NOTHING, dict(error or {})
    wait_s = said.pop("wait_s", None)
    event = StepFailed(
        step=step,
        operation=operated,
        token=token,
        error={"class": "unknown", **said, "task_id": task_id},
        done=_trail(told) if operated is Operation.ACTION else (),
        until=timedelta(seconds=wait_s) if wait_s is not None else datetime.fromisoformat(until) if until else None,
        hopeless=hopeless,
    )
    return event, told


def steps_undone(carried: Carried, *, token: int) -> tuple[Event, Carried]:
    return StepsUndone(undone=_trail(carried)), NOTHING


def pivot_settled(carried: Carried, *, token: int) -> tuple[Event, Carried]:
    return (PivotBarred() if carried["barred"] else PivotFoundDone()), NOTHING


READERS: Mapping[str, Callable[..., tuple[Event, Carried]]] = {
    CHAIN_COMPLETED: chain_completed,
    STEP_REFUSED: step_refused,
    STEP_FAILED: step_failed,
    STEPS_UNDONE: steps_undone,
    PIVOT_SETTLED: pivot_settled,
}
"""How each report is read, by the name of its task."""


def _trail(carried: Carried) -> Trail:
    return tuple((str(step), datetime.fromisoformat(at)) for step, at in carried["trail"])
