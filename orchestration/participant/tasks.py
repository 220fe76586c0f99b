"""A participant's commands as Celery tasks: read the message, have the handler do it, pass on what is known."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from celery import Task, shared_task
from celery.exceptions import Reject
from django.conf import settings

from orchestration import canvas
from orchestration.contracts.codec import Malformed
from orchestration.contracts.command import Action, Compensation
from orchestration.messages import SagaTask
from orchestration.participant import handler
from orchestration.participant.breaker import BreakerOpen
from orchestration.participant.outcomes import Barred, Done, Outcome, Refused
from orchestration.participant.outside import OutcomeUnknown
from orchestration.participant.participant import Participant
from orchestration.participant.rows import Call
from orchestration.routes import send_to
from orchestration.topology import compensations_queue

logger = logging.getLogger(__name__)

Carried = dict[str, Any]
"""What travels along a chain: {"known": facts by field name, "trail": [[step, ISO time], …]}."""

Body = Callable[[Task, Call, Carried], Carried]


def make_tasks(participant: Participant) -> None:
    """Make one task of each command, and one that bars."""
    for command in participant.commands:
        if isinstance(command, Action):
            _make_task(command.name, participant.service, partial(_act, participant, command))
        else:
            _make_task(command.name, compensations_queue(participant.service), partial(_undo, participant, command))
    _make_task(
        canvas.bar_task(participant.service), compensations_queue(participant.service), partial(_bar, participant)
    )


def _make_task(name: str, queue: str, body: Body) -> None:
    @shared_task(name=send_to(settings.TOPOLOGY.name(queue), name), bind=True, base=SagaTask, typing=False)
    def task(self: Task, *args: Any, **ids: Any) -> Carried:
        carried: Carried = {"known": {}, "trail": []}
        try:
            call, carried = _read(*args, **ids)
            return body(self, call, carried)
        except Malformed as error:
            logger.error("%s: malformed message, dead-lettered: %s", name, error)
            canvas.inform_errbacks(self.request, _about(error, carried))
            raise Reject(error, requeue=False) from error  # Celery sends the errbacks of what is rejected for good
        except Exception as error:  # the kit's boundary: whatever it was, the saga hears of it and comes back
            canvas.inform_errbacks(self.request, _about(error, carried))
            canvas.halt(self.request)  # or Celery stores a failure for every later link as well
            raise


def _read(*args: Any, **ids: Any) -> tuple[Call, Carried]:
    """:raises Malformed: when the message is not one that `canvas` makes."""
    try:
        (carried,) = args
        call = Call(UUID(ids["saga_id"]), str(ids["step"]), int(ids["token"]), known=dict(carried["known"]))
        call.known["saga_id"] = ids["saga_id"]
        list(carried["trail"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(f"not a saga's message: {error!r}") from None
    return call, carried


def _act(participant: Participant, action: Action, task: Task, call: Call, carried: Carried) -> Carried:
    outcome = handler.act(participant, action, [call])[0]
    logger.info("saga %s step %s: %s", call.saga_id, call.step, type(outcome).__name__.lower())
    return _pass_on(task, call, carried, outcome)


def _pass_on(task: Task, call: Call, carried: Carried, outcome: Outcome) -> Carried:
    match outcome:
        case Done(answer):
            return {"known": carried["known"] | answer, "trail": _longer(carried, call.step)}
        case Refused(refusal):
            canvas.divert_to_refusal(task.request, call.saga_id, call.step, call.token, refusal)
        case Barred():
            canvas.halt(task.request)
    return carried


def _undo(participant: Participant, compensation: Compensation, task: Task, call: Call, carried: Carried) -> Carried:
    handler.undo(participant, compensation, [call])
    logger.info("saga %s step %s: undone or barred", call.saga_id, call.step)
    return {"known": carried["known"], "trail": _longer(carried, call.step)}


def _bar(participant: Participant, task: Task, call: Call, carried: Carried) -> Carried:
    holds = handler.bar(participant, [call])[0]
    logger.info("saga %s step %s: %s", call.saga_id, call.step, "barred" if holds else "was done before the bar")
    return {**carried, "barred": holds}


def _longer(carried: Carried, step: str) -> list[list[str]]:
    return [*carried["trail"], [step, datetime.now(UTC).isoformat()]]


def _about(error: Exception, carried: Carried) -> dict[str, Any]:
    about: dict[str, Any] = {
        "error": {"class": type(error).__name__, "message": str(error)[:500]},
        "carried": carried,
    }
    if isinstance(error, BreakerOpen):
        about["until"] = error.until.isoformat()
    if isinstance(error, OutcomeUnknown | Malformed):  # trying again will not help
        about["hopeless"] = True
    return about
