"""Messages to a participant carried out: what was asked, what was done, and how their chains go on."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings

from orchestration.contracts.codec import Malformed
from orchestration.contracts.command import Action, Compensation
from orchestration.db.bisection import each_or_error
from orchestration.execution.batching import Batches
from orchestration.execution.call_pool import CallPool
from orchestration.execution.scheduler import Executors, Thunk
from orchestration.log_context import about as about_sagas
from orchestration.log_context import within
from orchestration.participant import external_steps, local_steps
from orchestration.participant.breaker import BreakerOpen
from orchestration.participant.external import ExternalCommand
from orchestration.participant.external_steps import ExternalCall, Replied
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Done, Refused
from orchestration.participant.participant import Participant
from orchestration.participant.refusals import PermanentFailure
from orchestration.protocol.itinerary import bar_task
from orchestration.text.cleaning import text_of

logger = logging.getLogger(__name__)

Context = dict[str, Any]
"""What a chain passes from step to step: {"known": facts by field name, "trail": [[completed step, ISO time], …]}."""


@dataclass(frozen=True)
class GoesOn:
    """The next link follows, with this; `repeated` when the step had been done before."""

    context: Context
    repeated: bool = False


@dataclass(frozen=True)
class Diverted:
    """The step is refused: instead of the next link the orchestrator hears of it."""

    context: Context
    refusal: dict[str, Any]
    repeated: bool = False


@dataclass(frozen=True)
class Halted:
    """The step is barred: this copy of the chain ends here."""

    context: Context


Next = GoesOn | Diverted | Halted | Exception
"""How a message's chain goes on; an exception: the step failed."""


@dataclass(frozen=True, eq=False)
class StepMessage:
    """One message, read; `message` is what its deliverer knows it by, `began` monotonic seconds."""

    message: Any
    call: Call
    context: Context
    began: float = field(default_factory=time.monotonic)


BySaga = Mapping[UUID, list[StepMessage]]
"""The step messages of each saga: more than one when a message is there twice."""

End = Callable[[Sequence[tuple[StepMessage, Next]]], None]
Performance = Callable[[Sequence[StepMessage]], Thunk | None]
"""Executes step messages of one command and reports the end of each. May return work that is left to do."""
Making = Callable[[End, Executors], Performance]


LONGEST_MESSAGE = 500
"""The most characters kept of an error's message."""

Results = Mapping[UUID, Any]
"""What became of each saga's call: an Outcome, a BarSettled, or the exception."""


@dataclass(frozen=True)
class BarSettled:
    """Whether the bar holds; it does not when the step had been done before."""

    holds: bool


def performances(participant: Participant) -> dict[str, Making]:
    """What makes the performance of each task of the participant: its commands, and the bar."""
    made: dict[str, Making] = {bar_task(participant.service): partial(_Inside, participant, partial(_bar, participant))}
    for command, work in participant.commands.items():
        if isinstance(work, ExternalCommand):
            made[command.name] = partial(_Outside, participant, command, work)
        elif isinstance(command, Action):
            made[command.name] = partial(_Inside, participant, partial(_act, participant, command))
        else:
            made[command.name] = partial(_Inside, participant, partial(_undo, participant, command))
    return made


def read(args: Sequence[Any], ids: Mapping[str, Any]) -> tuple[Call, Context]:
    """:raises Malformed: when the message is not one that `canvas` makes."""
    try:
        (context,) = args
        call = Call(UUID(ids["saga_id"]), str(ids["step"]), int(ids["token"]), known=dict(context["known"]))
        call.known["saga_id"] = ids["saga_id"]
        list(context["trail"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(f"not a saga's message: {error!r}") from None
    return call, context


def about(error: Exception, context: Context) -> dict[str, Any]:
    """Return the report of a failure for the orchestrator.

    The error may quote the external system. It is made harmless, because otherwise the report might be neither sent nor
    stored.
    """
    reported: dict[str, Any] = {
        "error": {"class": type(error).__name__, "message": text_of(error, longest=LONGEST_MESSAGE)},
        "carried": context,
    }
    if isinstance(error, BreakerOpen):
        reported["until"] = error.until.isoformat()
        if error.wait is not None:
            reported["error"]["wait_s"] = error.wait.total_seconds()
    if isinstance(error, PermanentFailure):  # a message that nobody can read is not: it is made anew
        reported["hopeless"] = True
    return reported


class _Inside:
    """A command carried out in the service's own database: one transaction for all that is there."""

    def __init__(
        self, participant: Participant, execute: Callable[[Sequence[Call]], Results], end: End, executors: Executors
    ) -> None:
        self._participant, self._execute, self._end = participant, execute, end

    def __call__(self, step_messages: Sequence[StepMessage]) -> None:
        results = apart(self._execute, [step_message.call for step_message in step_messages])
        self._end(
            [
                (step_message, _following(self._participant, step_message, results[step_message.call.saga_id]))
                for step_message in step_messages
            ]
        )


class _Outside:
    """A command carried out elsewhere: one transaction before the calls, the calls side by side, and one for what has
    come back meanwhile. Nobody waits for another one's call."""

    def __init__(
        self,
        participant: Participant,
        command: Action | Compensation,
        work: ExternalCommand,
        end: End,
        executors: Executors,
    ) -> None:
        self._participant, self._end = participant, end
        self._begin = partial(external_steps.begin, participant, command, work)
        self._conclude = partial(external_steps.conclude, participant, command, work)
        take_down = within(self._take_down, lambda reply: reply[0].external_call.call.saga_id)
        has_priority = isinstance(command, Compensation)
        self._replies = Batches(take_down, executors.batches, has_priority=has_priority)
        self._calls = CallPool(
            self._call, self._replies.put, executors.calls, settings.CALLS_AT_ONCE, has_priority=has_priority
        )

    def __call__(self, step_messages: Sequence[StepMessage]) -> Thunk | None:
        of_saga: defaultdict[UUID, list[StepMessage]] = defaultdict(list)  # a message that is here twice is one call
        for step_message in step_messages:
            of_saga[step_message.call.saga_id].append(step_message)
        begun = apart(self._begin, [same[0].call for same in of_saga.values()])
        self._tell({saga_id: each for saga_id, each in begun.items() if not isinstance(each, ExternalCall)}, of_saga)
        external_calls = [(each, of_saga) for each in begun.values() if isinstance(each, ExternalCall)]
        return partial(self._calls.put, external_calls) if external_calls else None

    def _call(self, asked: tuple[ExternalCall, BySaga]) -> tuple[Replied, BySaga] | None:
        external_call, of_saga = asked
        with about_sagas([external_call.call.saga_id]):
            try:
                return external_steps.reply_to(external_call), of_saga
            except Exception as error:
                self._tell({external_call.call.saga_id: error}, of_saga)
                return None

    def _take_down(self, batch: Sequence[tuple[Replied, BySaga]]) -> None:
        of_saga: dict[UUID, list[StepMessage]] = {}
        replies: dict[UUID, Replied] = {}
        for replied, step_messages in batch:
            saga_id = replied.external_call.call.saga_id
            replies[saga_id] = replied
            of_saga[saga_id] = [*of_saga.get(saga_id, ()), *step_messages[saga_id]]
        calls = [replied.external_call.call for replied in replies.values()]
        self._tell(apart(lambda some: self._conclude([replies[call.saga_id] for call in some]), calls), of_saga)

    def _tell(self, results: Results, of_saga: BySaga) -> None:
        if results:
            self._end(
                [
                    (step_message, _following(self._participant, step_message, result))
                    for saga_id, result in results.items()
                    for step_message in of_saga[saga_id]
                ]
            )


def apart(work: Callable[[Sequence[Call]], Mapping[UUID, Any]], calls: Sequence[Call]) -> dict[UUID, Any]:
    """What `work` gives for each saga; one that makes it raise gets the error, and the others do without it."""

    def in_order(some: Sequence[Call]) -> list[Any]:
        found = work(some)
        return [found[call.saga_id] for call in some]

    results = each_or_error(in_order, calls)
    return {call.saga_id: result for call, result in zip(calls, results, strict=True)}


def _act(participant: Participant, action: Action, calls: Sequence[Call]) -> Results:
    outcomes = local_steps.act(participant, action, calls)
    return {call.saga_id: outcome for call, outcome in zip(calls, outcomes, strict=True)}


def _undo(participant: Participant, compensation: Compensation, calls: Sequence[Call]) -> Results:
    local_steps.undo(participant, compensation, calls)
    return dict.fromkeys((call.saga_id for call in calls), Done({}))


def _bar(participant: Participant, calls: Sequence[Call]) -> Results:
    holds = local_steps.bar(participant, calls)
    return {call.saga_id: BarSettled(hold) for call, hold in zip(calls, holds, strict=True)}


def _following(participant: Participant, step_message: StepMessage, result: Any) -> Next:
    call, context = step_message.call, step_message.context
    end = type(result).__name__.lower()
    logger.info("saga %s step %s: %s", call.saga_id, call.step, end, extra={"saga": call.saga_id})
    match result:
        case Exception():
            return result
        case Done(answer, repeated):
            at: datetime = participant.rows.now()
            completed = [*context["trail"], [call.step, at.isoformat()]]
            return GoesOn({"known": context["known"] | answer, "trail": completed}, repeated)
        case Refused(refusal, repeated):
            return Diverted(context, refusal, repeated)
        case BarSettled(holds):
            return GoesOn({**context, "barred": holds})
        case _:
            return Halted(context)
