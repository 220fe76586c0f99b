"""Runs actions, compensations and bars in a service's own database. Each has its effect once, also if repeated."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.db import IntegrityError

from orchestration.contracts.codec import decode
from orchestration.contracts.command import Action, Compensation
from orchestration.failpoints import Failpoint, FailpointKind
from orchestration.participant.batch import Together, Work, results_of_each
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call, LedgerChange, Rows
from orchestration.participant.outcomes import Done, Outcome, change_to, outcome_of, outcome_of_answer
from orchestration.participant.participant import Participant
from orchestration.participant.refusals import Refusal
from orchestration.protocol.itinerary import bar_task

UNIQUE_VIOLATION = "23505"  # PostgreSQL manual, appendix A


class StillOpen(Exception):
    """The step was started at an external system and its outcome is unknown, so it cannot be barred."""


def act(participant: Participant, action: Action, work: Work, calls: Sequence[Call]) -> list[Outcome]:
    """Run the action for each call, in one transaction for all calls. Return the outcome of each call.

    A call whose ledger row exists repeats the outcome of that row.

    :raises Malformed: when a request cannot be read.
    """
    failpoint = Failpoint(FailpointKind.COMMIT, action.name, [call.saga_id for call in calls])
    try:
        return participant.rows.transaction(failpoint, lambda: _act_all(participant.rows, action, work, calls))
    except Refusal as refusal:  # all calls were rolled back. Run each in a savepoint, so that only refused ones are
        if isinstance(work, Together):
            raise TypeError(f"{action.name} works together: it must give its refusals, not raise them") from refusal
        isolated = partial(_in_savepoint, participant.rows, work)
        return participant.rows.transaction(failpoint, lambda: _act_all(participant.rows, action, isolated, calls))
    except IntegrityError as error:
        if len(calls) > 1 or action not in participant.refusal_of_duplicate or not _is_unique_violation(error):
            raise  # `executor` runs several calls again in smaller batches, in the end one by one
        refuse = partial(_refusal_or_raise, participant.refusal_of_duplicate[action], error)
        return participant.rows.transaction(failpoint, lambda: _act_all(participant.rows, action, refuse, calls))


def undo(participant: Participant, compensation: Compensation, work: Work, calls: Sequence[Call]) -> None:
    """Compensate the step of each call, or bar it if it was not done. A second call changes nothing.

    A compensation cannot refuse. Any exception is a failure, and the saga retries.
    """
    failpoint = Failpoint(FailpointKind.COMMIT, compensation.name, [call.saga_id for call in calls])
    participant.rows.transaction(failpoint, lambda: _undo_all(participant.rows, compensation, work, calls))


def bar(participant: Participant, calls: Sequence[Call]) -> list[bool]:
    """Bar the step of each call. Return for each call whether the step is barred; False if it was done before.

    :raises StillOpen: when the outcome of a step is unknown. So a step with external calls cannot be a pivot.
    """
    failpoint = Failpoint(FailpointKind.COMMIT, bar_task(participant.service), [call.saga_id for call in calls])
    return participant.rows.transaction(failpoint, lambda: _bar_all(participant.rows, calls))


def _act_all(rows: Rows, action: Action, work: Work, calls: Sequence[Call]) -> list[Outcome]:
    fresh = rows.claim(calls, Status.DONE)
    found = rows.read({call.saga_id for call in calls} - fresh, action.step)
    by_saga = {call.saga_id: call for call in calls}  # two copies of a message are one call
    sagas = sorted(fresh)
    answers = results_of_each(work, [(decode(action.request, by_saga[each].known),) for each in sagas])
    outcomes = {each: outcome_of_answer(answer) for each, answer in zip(sagas, answers, strict=True)}
    if changes := [change_to(by_saga[each], outcome) for each, outcome in outcomes.items() if outcome != Done({})]:
        rows.change(action.step, changes)
    repeated = {saga_id: outcome_of(row) for saga_id, row in found.items()}
    return [(outcomes | repeated)[call.saga_id] for call in calls]


def _in_savepoint(rows: Rows, work: Callable[..., Any], request: Any) -> Any:
    try:
        with rows.savepoint():
            return work(request)
    except Refusal as refusal:
        return refusal


def _refusal_or_raise(
    refusal_of_duplicate: Callable[[Any], Refusal | None], error: IntegrityError, request: Any
) -> Refusal:
    if (refusal := refusal_of_duplicate(request)) is None:
        raise error
    return refusal


def _is_unique_violation(error: IntegrityError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) == UNIQUE_VIOLATION


def _undo_all(rows: Rows, compensation: Compensation, work: Work, calls: Sequence[Call]) -> None:
    barred = rows.claim(calls, Status.BARRED)
    found = rows.read({call.saga_id for call in calls} - barred, compensation.step)
    by_saga = {call.saga_id: call for call in calls}
    done = [call for call in by_saga.values() if call.saga_id in found and found[call.saga_id].status == Status.DONE]
    results_of_each(work, [(decode(compensation.request, call.known),) for call in done])
    if done:
        undone = [LedgerChange(call.saga_id, call.token, Status.UNDONE) for call in done]
        rows.change(compensation.step, undone, was=[Status.DONE])


def _bar_all(rows: Rows, calls: Sequence[Call]) -> list[bool]:
    barred = rows.claim(calls, Status.BARRED)
    found = rows.read({call.saga_id for call in calls} - barred, calls[0].step)
    if any(row.status == Status.STARTED for row in found.values()):
        raise StillOpen(StillOpen.__doc__)
    return [call.saga_id in barred or found[call.saga_id].status != Status.DONE for call in calls]
