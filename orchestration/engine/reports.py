"""Reads a report's arguments as an event of its saga, with the facts that its chain gathered."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from orchestration.contracts.codec import Malformed
from orchestration.engine.saga_event import SagaEvent
from orchestration.messaging.canvas import NOTHING, Context
from orchestration.protocol.events import (
    ChainCompleted,
    CompletedSteps,
    Event,
    LockGranted,
    PivotBarred,
    PivotFoundDone,
    StepFailed,
    StepRefused,
    StepsUndone,
    StepWaits,
)
from orchestration.protocol.itinerary import (
    CHAIN_COMPLETED,
    LOCK_GRANTED,
    PIVOT_OUTCOME,
    STEP_FAILED,
    STEP_REFUSED,
    STEP_WAITS,
    STEPS_UNDONE,
)
from orchestration.protocol.states import Operation

WIRE_NAMES = {"carried": "context", "hopeless": "permanent"}
"""Our names for fields of messages. The fields keep their names, because messages outlive a deployment."""


def read(name: str, args: Sequence[Any], facts: Mapping[str, Any]) -> SagaEvent:
    """Read the arguments of the report of this name.

    :raises Malformed: when `canvas` does not write reports like this.
    """
    try:
        arguments = {WIRE_NAMES.get(field, field): fact for field, fact in facts.items()}
        saga_id = UUID(arguments.pop("saga_id"))
        event, context = READERS[name](*args, **arguments)
        return SagaEvent(saga_id, event, dict(context["known"]))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Malformed(f"not a report: {error!r}") from error


def chain_completed(context: Context, *, token: int) -> tuple[Event, Context]:
    return ChainCompleted(done=_completed(context)), context


def step_refused(context: Context, *, token: int, step: str, refusal: dict[str, Any]) -> tuple[Event, Context]:
    return StepRefused(step=step, refusal=refusal, done=_completed(context)), context


def step_failed(
    task_id: str,
    *,
    token: int,
    step: str,
    operation: str,
    error: dict[str, Any] | None = None,
    context: Context | None = None,
    until: str | None = None,
    permanent: bool = False,
) -> tuple[Event, Context]:
    """Read the report that `link_error` sent. Without `error`, the result row of `task_id` may hold the reason.

    `until` is by the sender's clock. If the error holds the length of the wait, use that instead: it needs no clock.
    """
    operated = Operation(operation)
    context, said = context or NOTHING, dict(error or {})
    wait_s = said.pop("wait_s", None)
    event = StepFailed(
        step=step,
        operation=operated,
        token=token,
        error={"class": "unknown", **said, "task_id": task_id},
        done=_completed(context) if operated is Operation.ACTION else (),
        until=timedelta(seconds=wait_s) if wait_s is not None else datetime.fromisoformat(until) if until else None,
        permanent=permanent,
    )
    return event, context


def steps_undone(context: Context, *, token: int) -> tuple[Event, Context]:
    return StepsUndone(undone=_completed(context)), NOTHING


def pivot_outcome(context: Context, *, token: int) -> tuple[Event, Context]:
    return (PivotBarred() if context["barred"] else PivotFoundDone()), NOTHING


def step_waits(
    context: Context, *, token: int, step: str, resource: str, holder: str, before: int, since: str
) -> tuple[Event, Context]:
    event = StepWaits(
        step=step,
        token=token,
        resource=resource,
        holder=UUID(holder),
        before=before,
        since=_aware(since),
        done=_completed(context),
    )
    return event, context


def lock_granted(*, step: str) -> tuple[Event, Context]:
    return LockGranted(step), NOTHING


READERS: Mapping[str, Callable[..., tuple[Event, Context]]] = {
    CHAIN_COMPLETED: chain_completed,
    STEP_REFUSED: step_refused,
    STEP_FAILED: step_failed,
    STEPS_UNDONE: steps_undone,
    PIVOT_OUTCOME: pivot_outcome,
    STEP_WAITS: step_waits,
    LOCK_GRANTED: lock_granted,
}
"""The reader of each report, by the name of its task."""


def _completed(context: Context) -> CompletedSteps:
    return tuple((str(step), datetime.fromisoformat(at)) for step, at in context["trail"])


def _aware(moment: str) -> datetime:
    at = datetime.fromisoformat(moment)
    if at.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return at
