"""Runs actions, compensations and bars in a service's own database. Each has its effect once, also if repeated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from orchestration.contracts.codec import decode
from orchestration.contracts.command import FENCE, Action, Compensation
from orchestration.failpoints import Failpoint, FailpointKind
from orchestration.participant import locks
from orchestration.participant.batch import Together, Work, results_of_each
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call, LedgerChange, Row, Rows
from orchestration.participant.outcomes import (
    BarResult,
    Done,
    Outcome,
    Refused,
    Superseded,
    change_to,
    is_superseded,
    outcome_of,
    outcome_of_answer,
)
from orchestration.participant.participant import Participant
from orchestration.participant.refusals import Refusal
from orchestration.protocol.itinerary import bar_task

UNIQUE_VIOLATION = "23505"  # PostgreSQL manual, appendix A


class StillOpen(Exception):
    """The step was started at an external system, or waits for a lock, so it cannot be barred."""


def act(participant: Participant, action: Action, work: Work, calls: Sequence[Call]) -> dict[UUID, Outcome]:
    """Run the action for each call, in one transaction for all calls. Return the outcome of each saga.

    A call whose ledger row exists repeats the outcome of that row. An action that takes a lock runs when its saga holds
    the lock. The calls are of different sagas, in order of arrival.

    :raises Malformed: when a request cannot be read.
    :raises StaleFence: when a saga no longer holds the lock under which it acts.
    """
    kind = FailpointKind.GRANT if action.holds else FailpointKind.LET_GO if action.releases else FailpointKind.COMMIT
    failpoint = Failpoint(kind, action.name, [call.saga_id for call in calls])
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


def undo(
    participant: Participant, compensation: Compensation, work: Work, calls: Sequence[Call]
) -> dict[UUID, Done | Superseded]:
    """Compensate the step of each call, or bar it if it was not done. A second call changes nothing.

    If the action takes a lock, its saga then neither holds nor waits for the lock. A compensation cannot refuse. Any
    exception is a failure, and the saga retries.
    """
    kind = FailpointKind.LET_GO if compensation.undoes.holds else FailpointKind.COMMIT
    failpoint = Failpoint(kind, compensation.name, [call.saga_id for call in calls])
    return participant.rows.transaction(failpoint, lambda: _undo_all(participant.rows, compensation, work, calls))


def bar(participant: Participant, calls: Sequence[Call]) -> dict[UUID, BarResult | Superseded]:
    """Bar the step of each call. Return for each saga whether the step is barred; it is not if it was done before.

    :raises StillOpen: when a step may still be done. So one with external calls, or with a lock, cannot be a pivot.
    """
    failpoint = Failpoint(FailpointKind.COMMIT, bar_task(participant.service), [call.saga_id for call in calls])
    return participant.rows.transaction(failpoint, lambda: _bar_all(participant.rows, calls))


def _act_all(rows: Rows, action: Action, work: Work, calls: Sequence[Call]) -> dict[UUID, Outcome]:
    by_saga = {call.saga_id: call for call in calls}
    fresh = rows.claim(calls, Status.WAITING if action.holds else Status.DONE)
    found = rows.read(by_saga.keys() - fresh, action.step)
    ends = {each: outcome_of(row, by_saga[each]) for each, row in found.items() if not _may_act(row, by_saga[each])}
    acting = [call for call in calls if call.saga_id not in ends]
    acted = _act_under_locks(rows, action, work, acting) if acting else {}
    changed = [each for each, outcome in acted.items() if action.holds or outcome != Done({})]
    changes = [change_to(by_saga[each], end) for each in changed if isinstance(end := acted[each], Done | Refused)]
    if changes:
        rows.change(action.step, changes, was=[Status.WAITING] if action.holds else ())
    return ends | acted


def _act_under_locks(rows: Rows, action: Action, work: Work, calls: Sequence[Call]) -> dict[UUID, Outcome]:
    """Run the action where no lock forbids it, and release the locks that are not needed any more."""
    outcomes: dict[UUID, Outcome] = {}
    fences: dict[UUID, dict[str, int]] = {}
    if action.holds:
        taken = locks.take(rows.locks, action.holds, calls)
        outcomes |= taken.stopped
        fences = {saga_id: {FENCE: fence} for saga_id, fence in taken.fences.items()}
    acting = {call.saga_id: call for call in calls if call.saga_id not in outcomes}
    if action.releases:
        locks.lock_holds(rows.locks, action.releases, list(acting.values()))
    if action.under:
        locks.check_fences(rows.locks, action.under, list(acting.values()))
    sagas = sorted(acting)
    known = {each: acting[each].known | fences.get(each, {}) for each in sagas}
    answers = results_of_each(work, [(decode(action.request, known[each]),) for each in sagas])
    acted = {each: outcome_of_answer(answer) for each, answer in zip(sagas, answers, strict=True)}
    for lock, end in ((action.holds, Refused), (action.releases, Done)):
        if lock:
            leaving = [acting[each] for each, outcome in acted.items() if isinstance(outcome, end)]
            for saga_id, wakes in locks.let_go(rows.locks, lock, leaving).items():
                acted[saga_id] = replace(acted[saga_id], wakes=wakes)
    return outcomes | acted


def _may_act(row: Row, call: Call) -> bool:
    return row.status == Status.WAITING and not is_superseded(row, call)


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


def _undo_all(
    rows: Rows, compensation: Compensation, work: Work, calls: Sequence[Call]
) -> dict[UUID, Done | Superseded]:
    barred = rows.claim(calls, Status.BARRED)
    found = rows.read({call.saga_id for call in calls} - barred, compensation.step)
    current = [call for call in calls if not is_superseded(found.get(call.saga_id), call)]
    done = _with_status(Status.DONE, current, found)
    waiting = _with_status(Status.WAITING, current, found)
    lock = compensation.undoes.holds
    if lock:
        locks.lock_holds(rows.locks, lock, [*done, *waiting])
    results_of_each(work, [(decode(compensation.request, call.known),) for call in done])
    changes = [
        *(LedgerChange(call.saga_id, call.token, Status.UNDONE) for call in done),
        *(LedgerChange(call.saga_id, call.token, Status.BARRED) for call in waiting),
    ]
    if changes:
        rows.change(compensation.step, changes, was=[Status.DONE, Status.WAITING] if waiting else [Status.DONE])
    wakes = locks.let_go(rows.locks, lock, [*done, *waiting]) if lock else {}
    undone = {call.saga_id: Done({}, wakes=wakes.get(call.saga_id, ())) for call in current}
    return {call.saga_id: undone.get(call.saga_id, Superseded()) for call in calls}


def _with_status(status: str, calls: Sequence[Call], found: Mapping[UUID, Row]) -> list[Call]:
    return [call for call in calls if call.saga_id in found and found[call.saga_id].status == status]


def _bar_all(rows: Rows, calls: Sequence[Call]) -> dict[UUID, BarResult | Superseded]:
    barred = rows.claim(calls, Status.BARRED)
    found = rows.read({call.saga_id for call in calls} - barred, calls[0].step)
    if not all(row.is_final for row in found.values()):
        raise StillOpen(StillOpen.__doc__)
    bars = {call.saga_id: call.saga_id in barred or found[call.saga_id].status != Status.DONE for call in calls}
    old = {call.saga_id for call in calls if is_superseded(found.get(call.saga_id), call)}
    return {saga_id: Superseded() if saga_id in old else BarResult(holds) for saga_id, holds in bars.items()}
