"""The Celery tasks of the orchestrator: reports of steps, markers, and recovery by schedule."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from celery import shared_task
from django.conf import settings

from orchestration.contracts.codec import Malformed
from orchestration.db import clocks, transactions
from orchestration.db.bisection import each_or_error
from orchestration.engine import deadlocks, engine, markers, recovery, reports
from orchestration.engine.saga_event import SagaEvent
from orchestration.execution.results import End, Ending, Work
from orchestration.execution.scheduler import Executors
from orchestration.execution.task import BatchedTask
from orchestration.messaging import unfinished
from orchestration.messaging.canvas import Message
from orchestration.messaging.routing import send_to
from orchestration.messaging.task import SagaTask
from orchestration.messaging.topology import ORCHESTRATOR
from orchestration.models import ALIAS, SagaInstance
from orchestration.protocol.events import StepWaits
from orchestration.sagas import UnknownDefinition

logger = logging.getLogger(__name__)


def _ours(task: str) -> str:
    return send_to(settings.TOPOLOGY.name(ORCHESTRATOR), task)


def _make_task(name: str) -> None:
    # Bound, or Celery would run an errback inline in the failing worker and swallow what it raises.
    @shared_task(name=_ours(name), bind=True, base=BatchedTask, typing=False, make_work=_make_work)
    def task(self: BatchedTask, *args: Any, **facts: Any) -> None:
        self.run_inline(args, facts)


def _make_work(end: End, executors: Executors) -> Work:
    """Make the work of a report's task: apply the event of each report to its saga."""

    def work(messages: list[Message]) -> None:
        reported = [(message, _read(message)) for message in messages]
        end([_dead(message, report) for message, report in reported if isinstance(report, Malformed)])
        readable = [(message, report) for message, report in reported if not isinstance(report, Malformed)]
        outcomes = _apply([report for _, report in readable])
        end([_ending(message, outcome) for (message, _), outcome in zip(readable, outcomes, strict=True)])
        _end_deadlocks([report for _, report in readable])

    return work


def _read(message: Message) -> SagaEvent | Malformed:
    try:
        return reports.read(message.task, message.args, message.kwargs)
    except Malformed as error:
        return error


def _apply(events: list[SagaEvent]) -> list[SagaInstance | Exception]:
    """Apply the events to their sagas. A saga whose event cannot be stored gets the error and stays due.

    The other sagas' events are applied again without it: an event that is applied twice changes nothing.
    """

    def apply(some: Sequence[SagaEvent]) -> list[SagaInstance | Exception]:
        return transactions.repeated(ALIAS, lambda: engine.apply_all(some, now=clocks.now()))

    return each_or_error(apply, events)


def _end_deadlocks(events: list[SagaEvent]) -> None:
    """End the deadlocks of sagas that have begun to wait. If this process dies before, recovery ends them."""
    if waiting := {each.saga_id for each in events if isinstance(each.event, StepWaits)}:
        deadlocks.search(waiting, now=clocks.now())


def _ending(message: Message, outcome: SagaInstance | Exception) -> Ending:
    if isinstance(outcome, engine.NoSuchSaga | UnknownDefinition):
        return _dead(message, outcome)
    if isinstance(outcome, Exception):
        return Ending(message, outcome=outcome)
    logger.info("saga %s: %s, now %s", outcome.pk, message.task, outcome.phase, extra={"saga": outcome.pk})
    return Ending(message)


def _dead(message: Message, error: Exception) -> Ending:
    logger.error("%s: dead-lettered: %s", message.task, error)
    return Ending(message, outcome=error, is_dead=True)


for _name in reports.READERS:
    _make_task(_name)


@shared_task(name=_ours(markers.PASS), base=SagaTask)
def pass_marker(*, route: str, sent_at: str) -> None:
    """Tell workers to note the messages that the marker overtakes. Otherwise a marker only passes through queues."""
    unfinished.have_noted(markers.name_of(route, sent_at))


@shared_task(name=_ours(markers.RETURNED), base=SagaTask)
def marker_returned(*, route: str, sent_at: str) -> None:
    """Record that a marker has returned."""
    markers.record_return(route, datetime.fromisoformat(sent_at))


@shared_task(name=_ours("orchestration.recover"), base=SagaTask)
def recover() -> None:
    """Run one round of recovery. Workers of the orchestrator also run it in a loop of their own."""
    recovery.run_once()
