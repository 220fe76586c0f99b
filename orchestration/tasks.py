"""What the orchestrator hears: reports from the ends of chains, markers, and the clock."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from celery import shared_task
from celery.exceptions import Reject
from django.conf import settings

from orchestration import canvas, engine, markers, recovery
from orchestration.messages import SagaTask
from orchestration.models import ALIAS
from orchestration.participant import transactions
from orchestration.routes import send_to
from orchestration.sagas import UnknownDefinition
from orchestration.states import (
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
from orchestration.topology import ORCHESTRATOR

logger = logging.getLogger(__name__)

Carried = dict[str, Any]
NOTHING: Carried = {"known": {}, "trail": []}


def _ours(task: str) -> str:
    return send_to(settings.TOPOLOGY.name(ORCHESTRATOR), task)


def _report(name: str) -> Callable[[Callable[..., tuple[Event, Carried]]], Any]:
    """Make a task of a function that reads a message as an event and what was learned on the way."""

    def decorate(read: Callable[..., tuple[Event, Carried]]) -> Any:
        # Bound, or Celery would run an errback inline in the failing worker and swallow what it raises.
        @shared_task(name=_ours(name), bind=True, base=SagaTask, typing=False)  # type: ignore[arg-type]
        def task(self: SagaTask, *args: Any, saga_id: str = "", **facts: Any) -> None:
            try:
                event, carried = read(*args, **facts)
                saga, answers = UUID(saga_id), dict(carried["known"])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                logger.error("%s: malformed message, dead-lettered: %r", name, error)
                raise Reject(error, requeue=False) from error
            _happen(saga, event, answers)

        return task

    return decorate


def _happen(saga_id: UUID, event: Event, known: dict[str, Any]) -> None:
    try:
        instance = transactions.repeated(
            ALIAS, lambda: engine.apply(saga_id, event, now=datetime.now(UTC), known=known)
        )
    except (engine.NoSuchSaga, UnknownDefinition) as error:
        logger.error("saga %s: %s dead-lettered: %s", saga_id, type(event).__name__, error)
        raise Reject(error, requeue=False) from error
    logger.info("saga %s: %s, now %s", saga_id, type(event).__name__, instance.phase)


@_report(canvas.CHAIN_COMPLETED)
def chain_completed(carried: Carried, *, token: int) -> tuple[Event, Carried]:
    return ChainCompleted(done=_trail(carried)), carried


@_report(canvas.STEP_REFUSED)
def step_refused(carried: Carried, *, token: int, step: str, refusal: dict[str, Any]) -> tuple[Event, Carried]:
    return StepRefused(step=step, refusal=refusal, done=_trail(carried)), carried


@_report(canvas.STEP_FAILED)
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
    """Sent by `link_error`. Without `error` the kit could not say why: the result row of `task_id` may."""
    operated = Operation(operation)
    told = carried or NOTHING
    event = StepFailed(
        step=step,
        operation=operated,
        token=token,
        error={"class": "unknown", **(error or {}), "task_id": task_id},
        done=_trail(told) if operated is Operation.ACTION else (),
        until=datetime.fromisoformat(until) if until else None,
        hopeless=hopeless,
    )
    return event, told


@_report(canvas.STEPS_UNDONE)
def steps_undone(carried: Carried, *, token: int) -> tuple[Event, Carried]:
    return StepsUndone(undone=_trail(carried)), NOTHING


@_report(canvas.PIVOT_SETTLED)
def pivot_settled(carried: Carried, *, token: int) -> tuple[Event, Carried]:
    return (PivotBarred() if carried["barred"] else PivotFoundDone()), NOTHING


@shared_task(name=_ours(markers.PASS), base=SagaTask)
def pass_marker(*, route: str, sent_at: str) -> None:
    """Do nothing: having come this far in the queues is what a marker is for."""


@shared_task(name=_ours(markers.RETURNED), base=SagaTask)
def marker_returned(*, route: str, sent_at: str) -> None:
    markers.returned(route, datetime.fromisoformat(sent_at))


@shared_task(name=_ours("orchestration.recover"), base=SagaTask)
def recover() -> None:
    """One round of recovery, for when no orchestrator's own loop runs it."""
    recovery.run_once()


def _trail(carried: Carried) -> Trail:
    return tuple((str(step), datetime.fromisoformat(at)) for step, at in carried["trail"])
