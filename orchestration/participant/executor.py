"""Runs a participant's messages: reads what each asks, runs the steps, and makes the messages that follow."""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings

from orchestration import signals
from orchestration.contracts.codec import Malformed
from orchestration.contracts.command import Action, Compensation
from orchestration.db.bisection import each_or_error
from orchestration.execution.batching import Batches
from orchestration.execution.call_pool import CallPool
from orchestration.execution.results import End, Ending, MakeWork
from orchestration.execution.scheduler import Executors, Thunk
from orchestration.log_context import about, within
from orchestration.messaging.canvas import NOTHING, Context, Message
from orchestration.participant import external_steps, local_steps
from orchestration.participant.batch import Work
from orchestration.participant.breaker import BreakerOpen
from orchestration.participant.external import ExternalCommand
from orchestration.participant.external_steps import ExternalCall, Replied
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import BarResult, Done, Queued, Refused
from orchestration.participant.participant import Participant, ParticipantCommand
from orchestration.participant.refusals import PermanentFailure
from orchestration.protocol.itinerary import bar_task
from orchestration.text.cleaning import text_of

logger = logging.getLogger(__name__)

LONGEST_MESSAGE = 500
"""The most characters of an error's message that a report keeps."""

Results = Mapping[UUID, Any]
"""The result of each saga's call: an Outcome, a BarResult, or the exception."""
Run = Callable[[Sequence[Call]], Results]


BySaga = Mapping[UUID, list[Message]]
"""The messages of each saga. There are two if a message was delivered twice."""


def works_of(participant: Participant) -> dict[str, MakeWork]:
    """Return, by task name, the `MakeWork` of each command of the participant and of its bar."""
    works: dict[str, MakeWork] = {
        bar_task(participant.service): partial(_LocalWork, participant, partial(local_steps.bar, participant))
    }
    for command, work in participant.commands.items():
        if isinstance(work, ExternalCommand):
            works[command.name] = partial(_ExternalWork, participant, command, work)
        else:
            works[command.name] = partial(_LocalWork, participant, _local_run(participant, command, work))
    return works


def _local_run(participant: Participant, command: ParticipantCommand, work: Work) -> Run:
    if isinstance(command, Action):
        return partial(local_steps.act, participant, command, work)
    return partial(local_steps.undo, participant, command, work)


def read(message: Message) -> Call:
    """Read the call from a step message. The message's only argument is the context.

    :raises Malformed: when `messaging.canvas` did not make the message.
    """
    try:
        (context,) = message.args
        ids = message.kwargs
        call = Call(UUID(ids["saga_id"]), str(ids["step"]), int(ids["token"]), known={**context["known"]})
        call.known["saga_id"] = ids["saga_id"]
        list(context["trail"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Malformed(f"not a saga's message: {error!r}") from None
    return call


def failure_report(error: Exception, context: Context) -> dict[str, Any]:
    """Return the report of a failure for the orchestrator.

    The error may quote the external system. It is made harmless, so that the report can be sent and stored.
    """
    report: dict[str, Any] = {
        "error": {"class": type(error).__name__, "message": text_of(error, longest=LONGEST_MESSAGE)},
        "carried": context,
    }
    if isinstance(error, BreakerOpen):
        report["until"] = error.until.isoformat()
        if error.wait is not None:
            report["error"]["wait_s"] = error.wait.total_seconds()
    if isinstance(error, PermanentFailure):  # not a malformed message: a retry sends a new message
        report["hopeless"] = True
    return report


class _StepWork:
    """The common part of local and external steps: reads messages, and ends them with their results."""

    def __init__(self, participant: Participant, end: End) -> None:
        self._participant, self._end = participant, end

    def _read(self, messages: Sequence[Message]) -> tuple[list[Call], BySaga]:
        """Read the messages. End those that cannot be read. Copies of a message are one call, with the newest token."""
        calls: dict[UUID, Call] = {}
        by_saga: defaultdict[UUID, list[Message]] = defaultdict(list)
        unreadable: list[Ending] = []
        for message in messages:
            try:
                call = read(message)
            except Malformed as error:
                unreadable.append(_dead(message, error, NOTHING))
                continue
            earlier = calls.setdefault(call.saga_id, call)
            if call.token > earlier.token:
                calls[call.saga_id] = call
            by_saga[call.saga_id].append(message)
        if unreadable:
            self._end(unreadable)
        return list(calls.values()), by_saga

    def _report(self, results: Results, by_saga: BySaga) -> None:
        endings = [
            _ending(self._participant, message, result)
            for saga_id, result in results.items()
            for message in by_saga[saga_id]
        ]
        if endings:
            signals.steps_ended.send_robust(sender=None, endings=endings)
            self._end(endings)


class _LocalWork(_StepWork):
    """Runs a command in the service's own database: one transaction for all messages."""

    def __init__(self, participant: Participant, run: Run, end: End, executors: Executors) -> None:
        super().__init__(participant, end)
        self._run = run

    def __call__(self, messages: Sequence[Message]) -> None:
        calls, by_saga = self._read(messages)
        if calls:
            self._report(each_apart(self._run, calls), by_saga)


class _ExternalWork(_StepWork):
    """Runs a command at an external system: one transaction before the calls, and one for the replies of a batch.

    The calls run in parallel. No message waits for the call of another message.
    """

    def __init__(
        self,
        participant: Participant,
        command: ParticipantCommand,
        work: ExternalCommand,
        end: End,
        executors: Executors,
    ) -> None:
        super().__init__(participant, end)
        self._begin = partial(external_steps.begin, participant, command, work)
        self._conclude = partial(external_steps.conclude, participant, command, work)
        conclude = within(self._conclude_batch, lambda reply: reply[0].external_call.call.saga_id)
        has_priority = isinstance(command, Compensation)
        self._replies = Batches(conclude, executors.batches, has_priority=has_priority)
        self._calls = CallPool(
            self._call, self._replies.put, executors.calls, settings.CALLS_AT_ONCE, has_priority=has_priority
        )

    def __call__(self, messages: Sequence[Message]) -> Thunk | None:
        calls, by_saga = self._read(messages)
        begun = each_apart(self._begin, calls) if calls else {}
        self._report({saga_id: each for saga_id, each in begun.items() if not isinstance(each, ExternalCall)}, by_saga)
        external_calls = [(each, by_saga) for each in begun.values() if isinstance(each, ExternalCall)]
        return partial(self._calls.put, external_calls) if external_calls else None

    def _call(self, asked: tuple[ExternalCall, BySaga]) -> tuple[Replied, BySaga] | None:
        external_call, by_saga = asked
        saga_id = external_call.call.saga_id
        with about([saga_id]):
            try:
                return external_steps.reply_to(external_call), by_saga
            except Exception as error:
                self._report({saga_id: error}, by_saga)
                return None

    def _conclude_batch(self, batch: Sequence[tuple[Replied, BySaga]]) -> None:
        messages: defaultdict[UUID, list[Message]] = defaultdict(list)
        replies: dict[UUID, Replied] = {}
        for replied, by_saga in batch:
            saga_id = replied.external_call.call.saga_id
            replies[saga_id] = replied
            messages[saga_id] += by_saga[saga_id]
        calls = [replied.external_call.call for replied in replies.values()]
        results = each_apart(lambda some: self._conclude([replies[call.saga_id] for call in some]), calls)
        self._report(results, messages)


def each_apart(run: Run, calls: Sequence[Call]) -> dict[UUID, Any]:
    """Run the calls together. Return each saga's result. If a call raises, its result is the error.

    The other calls are then run again without it.
    """

    def in_order(some: Sequence[Call]) -> list[Any]:
        results = run(some)
        return [results[call.saga_id] for call in some]

    results = each_or_error(in_order, calls)
    return {call.saga_id: result for call, result in zip(calls, results, strict=True)}


def _ending(participant: Participant, message: Message, result: Any) -> Ending:
    [context], saga_id, step = message.args, message.kwargs["saga_id"], message.kwargs["step"]
    logger.info("saga %s step %s: %s", saga_id, step, type(result).__name__.lower(), extra={"saga": saga_id})
    match result:
        case Malformed():
            return _dead(message, result, context)
        case Exception():  # any failure is reported to the saga, which retries
            return Ending(message, message.failed(failure_report(result, context)), result)
        case Done(answer):
            completed = [*context["trail"], [step, participant.rows.now().isoformat()]]
            following = message.next({"known": context["known"] | answer, "trail": completed})
            return Ending(message, [*following, *_wakes(message, result)], result)
        case Refused(refusal):
            return Ending(message, [*message.refused(refusal, context), *_wakes(message, result)], result)
        case BarResult(holds):
            return Ending(message, message.next({**context, "barred": holds}), result)
        case Queued():
            facts = {"resource": result.resource, "holder": str(result.holder), "before": result.before}
            return Ending(message, message.waits({**facts, "since": result.since.isoformat()}, context), result)
        case _:  # barred, or superseded: this copy of the chain ends here
            return Ending(message, (), result)


def _wakes(message: Message, outcome: Done | Refused) -> list[Message]:
    return [message.lock_granted(wake.saga_id, wake.step) for wake in outcome.wakes]


def _dead(message: Message, error: Malformed, context: Context) -> Ending:
    logger.error("%s: malformed message, dead-lettered: %s", message.task, error)
    return Ending(message, message.failed(failure_report(error, context)), error, is_dead=True)
