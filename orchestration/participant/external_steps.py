"""Runs actions and compensations at a gateway or carrier: `begin`, then `reply_to`, then `conclude`.

No external call is made inside a transaction. Before a call is repeated, the outcome of the earlier one is queried.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from orchestration.contracts.codec import decode
from orchestration.contracts.command import Action, Compensation, Lock
from orchestration.failpoints import Failpoint, FailpointKind, cross
from orchestration.participant.batch import Together, results_of_each
from orchestration.participant.breaker import BreakerOpen
from orchestration.participant.external import ExternalCommand, Keys, OutcomeUnknown, key_of
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call, LedgerChange, Row, Rows
from orchestration.participant.locks import check_fences
from orchestration.participant.outcomes import (
    Done,
    Outcome,
    Superseded,
    change_to,
    is_superseded,
    outcome_of,
    outcome_of_answer,
)
from orchestration.participant.participant import Participant
from orchestration.participant.refusals import CannotCall, Refusal

BEFORE: dict[str, list[Status]] = {
    Status.UNDOING: [Status.STARTED, Status.DONE],
    Status.UNDONE: [Status.UNDOING],
}
"""The statuses that a row may have before a compensation gives it this status."""


@dataclass(frozen=True)
class ExternalCall:
    """A call to make at the external system. `since` is set if an earlier call may have been made then."""

    rows: Rows
    command: Action | Compensation
    work: ExternalCommand
    call: Call
    request: Any
    keys: Keys
    since: datetime | None

    def cross(self, kind: FailpointKind, ask: Callable[[Any, Keys], Any]) -> Any:
        """Make the call or query, across a failpoint."""
        return cross(kind, self.command.name, [self.call.saga_id], lambda: ask(self.request, self.keys))


@dataclass(frozen=True)
class Replied:
    """An external call, and the reply to it or the refusal of an action."""

    external_call: ExternalCall
    reply: Any


Begun = Outcome | ExternalCall | Exception


def begin(
    participant: Participant, command: Action | Compensation, work: ExternalCommand, calls: Sequence[Call]
) -> dict[UUID, Begun]:
    """Record that external calls may be made. Return for each saga the call to make, its known outcome, or an error.

    The error says why the call cannot be made now: the breaker is open, or this process cannot make it.

    :raises Malformed: when a request cannot be read.
    """
    if isinstance(command, Action):
        return _begin_acting(participant.rows, command, work, calls)
    rows = participant.rows
    failpoint = Failpoint(FailpointKind.UNDOING, command.name, [call.saga_id for call in calls])
    return rows.transaction(failpoint, lambda: _begin_undoing(rows, command, work, calls))


def reply_to(external_call: ExternalCall) -> Replied:
    """Query the outcome of an earlier call if there may be one. If it had no effect, make the call.

    :raises OutcomeUnknown: when the external system may soon forget the key, and with it the earlier call.
    """
    try:
        return Replied(external_call, _reply(external_call))
    except Refusal as refusal:
        if isinstance(external_call.command, Compensation):  # a compensation cannot refuse: this is a failure
            raise
        return Replied(external_call, refusal)


def conclude(
    participant: Participant, command: Action | Compensation, work: ExternalCommand, replied: Sequence[Replied]
) -> dict[UUID, Outcome]:
    """Commit the replies in one transaction. Return each saga's outcome; that of a compensation is `Done`."""
    rows = participant.rows
    failpoint = Failpoint(FailpointKind.CONCLUDE, command.name, [each.external_call.call.saga_id for each in replied])
    conclude_all = _conclude if isinstance(command, Action) else _conclude_undoing
    return rows.transaction(failpoint, lambda: conclude_all(rows, work, replied))


def reconcile(participant: Participant, command: Action | Compensation, work: ExternalCommand, call: Call) -> bool:
    """Query the outcome of a call whose ledger row is open, and conclude the row if it is known. Make no new call.

    Return whether it is known. A Refusal of an action is an outcome. Other exceptions of the query are raised.
    """
    request: Any = decode(command.request, call.known)
    external_call = ExternalCall(participant.rows, command, work, call, request, _keys(command, call), since=None)
    try:
        reply = _known_reply(external_call)
    except Refusal as refusal:
        if isinstance(command, Compensation):
            raise
        reply = refusal
    if reply is None:
        return False
    conclude(participant, command, work, [Replied(external_call, reply)])
    return True


def _begin_acting(rows: Rows, action: Action, work: ExternalCommand, calls: Sequence[Call]) -> dict[UUID, Begun]:
    """Insert *started* rows, or read the existing ones. Insert no row for a call that cannot be made now."""
    requests: dict[UUID, Any] = {call.saga_id: decode(action.request, call.known) for call in calls}
    until = work.breaker.open_until()
    held_up = {each: why for each, request in requests.items() if (why := _why_not_now(work, request, until))}
    claimable = [call for call in calls if call.saga_id not in held_up]
    fresh = _claimed(rows, action, claimable) if claimable else set()
    found = rows.read(requests.keys() - fresh, action.step, lock=False)

    def begun(call: Call) -> Begun:
        row, error = found.get(call.saga_id), held_up.get(call.saga_id)
        if row is not None and (row.is_final or is_superseded(row, call)):
            return outcome_of(row, call)
        if error is not None and (row is None or isinstance(error, BreakerOpen)):
            return error
        since = row.created_at if row else None
        return ExternalCall(rows, action, work, call, requests[call.saga_id], _keys(action, call), since)

    return {call.saga_id: begun(call) for call in calls}


def _why_not_now(work: ExternalCommand, request: Any, until: datetime | None) -> BreakerOpen | CannotCall | None:
    """Return why the external call cannot be made now; None if it can, or if none is needed."""
    if work.local_reply(request) is not None:
        return None
    if until is not None:
        return work.breaker.refusal(until)
    try:
        work.check(request)
    except CannotCall as error:
        return error
    return None


def _claimed(rows: Rows, action: Action, calls: Sequence[Call]) -> set[UUID]:
    """Insert *started* rows. Return the sagas whose row is new.

    :raises StaleFence: when a saga no longer holds the lock under which it acts. Then no row is inserted.
    """
    sagas, claim = [call.saga_id for call in calls], partial(rows.claim, calls, Status.STARTED, keep_request=True)
    if action.under is None:
        return rows.repeated(lambda: cross(FailpointKind.CLAIM, action.name, sagas, claim) or set())
    return rows.transaction(
        Failpoint(FailpointKind.CLAIM, action.name, sagas), partial(_under_lock, rows, action.under, calls, claim)
    )


def _under_lock(rows: Rows, lock: Lock, calls: Sequence[Call], claim: Callable[[], set[UUID]]) -> set[UUID]:
    fresh = claim()
    check_fences(rows.locks, lock, [call for call in calls if call.saga_id in fresh])
    return fresh


def _begin_undoing(
    rows: Rows, compensation: Compensation, work: ExternalCommand, calls: Sequence[Call]
) -> dict[UUID, Begun]:
    """Mark the rows *undoing*, or insert barred rows for steps that were not started.

    A request that cannot be read must not mark its row, because no call is made for it.
    """
    barred = rows.claim(calls, Status.BARRED)
    found = rows.read({call.saga_id for call in calls} - barred, compensation.step)
    until = work.breaker.open_until()
    changes: list[LedgerChange] = []

    def begun(call: Call) -> Begun:
        row = found.get(call.saga_id)
        if is_superseded(row, call):
            return Superseded()
        if row is None or row.status not in (Status.STARTED, Status.DONE, Status.UNDOING):
            return Done({})
        request: Any = decode(compensation.request, call.known)
        is_undoing = row.status == Status.UNDOING
        if not is_undoing and until is not None and work.local_reply(request) is None:
            return work.breaker.refusal(until)
        if not is_undoing:
            changes.append(LedgerChange(call.saga_id, call.token, Status.UNDOING))
        keys = _keys(compensation, call, forgotten=_may_be_forgotten(rows, work, row.created_at))
        return ExternalCall(rows, compensation, work, call, request, keys, row.changed_at if is_undoing else None)

    by_saga = {call.saga_id: call for call in calls}
    begun_calls = {saga_id: begun(call) for saga_id, call in by_saga.items()}
    if changes:
        rows.change(compensation.step, changes, was=BEFORE[Status.UNDOING])
    return begun_calls


def _reply(external_call: ExternalCall) -> Any:
    """Make the call. If an earlier call may have been made (`since`), query its outcome first.

    The breaker counts both as one call, because reads that work prove nothing about writes.

    :raises OutcomeUnknown: when the external system may soon forget the key, and with it the earlier call.
    """
    work = external_call.work
    if (own := work.local_reply(external_call.request)) is not None:
        return own
    external_call.rows.return_connection()  # the external call may take long
    with work.breaker.calling():
        if external_call.since is not None:
            reply = external_call.cross(FailpointKind.FIND, work.find)
            if reply is not None:
                return reply
            if _may_be_forgotten(external_call.rows, work, external_call.since):
                raise OutcomeUnknown(OutcomeUnknown.__doc__)
        return external_call.cross(FailpointKind.CALL, work.call)


def _known_reply(external_call: ExternalCall) -> Any:
    """Return what the external system knows of an earlier call, or None.

    The breaker counts a query that fails, but not one that works, because reads prove nothing about writes.
    """
    work = external_call.work
    if (own := work.local_reply(external_call.request)) is not None:
        return own
    external_call.rows.return_connection()
    try:
        return external_call.cross(FailpointKind.FIND, work.find)
    except work.breaker.counts:
        with work.breaker.calling():
            raise


def _keys(command: Action | Compensation, call: Call, *, forgotten: bool = False) -> Keys:
    action = command if isinstance(command, Action) else command.undoes
    return Keys(key_of(call.saga_id, command), key_of(call.saga_id, action), forgotten)


def _may_be_forgotten(rows: Rows, work: ExternalCommand, since: datetime) -> bool:
    return work.repeatable_for is not None and rows.now() - since > work.repeatable_for


def _conclude(rows: Rows, work: ExternalCommand, replied: Sequence[Replied]) -> dict[UUID, Outcome]:
    found = _locked(rows, replied)
    calls = {each.external_call.call.saga_id: each.external_call.call for each in replied}
    ends: dict[UUID, Outcome] = {each: outcome_of(row, calls[each]) for each, row in found.items() if row.is_final}
    waiting = [each for each in replied if each.external_call.call.saga_id not in ends]  # others are concluded already
    granted = [each for each in waiting if not isinstance(each.reply, Refusal)]
    answered = {each.external_call.call.saga_id: each.reply for each in waiting} | _recorded(work, granted)
    changes = []
    for call in (each.external_call.call for each in waiting):
        ends[call.saga_id] = outcome = outcome_of_answer(answered[call.saga_id])
        changes.append(change_to(call, outcome))
    if changes:
        rows.change(waiting[0].external_call.call.step, changes, was=[Status.STARTED])
    return ends


def _conclude_undoing(rows: Rows, work: ExternalCommand, replied: Sequence[Replied]) -> dict[UUID, Outcome]:
    found = _locked(rows, replied)
    waiting = [each for each in replied if found[each.external_call.call.saga_id].status == Status.UNDOING]
    _recorded(work, waiting)
    if waiting:
        undone = [
            LedgerChange(each.external_call.call.saga_id, each.external_call.call.token, Status.UNDONE)
            for each in waiting
        ]
        rows.change(waiting[0].external_call.call.step, undone, was=BEFORE[Status.UNDONE])
    return {each.external_call.call.saga_id: Done({}) for each in replied}


def _recorded(work: ExternalCommand, replied: Sequence[Replied]) -> dict[UUID, Any]:
    answered = results_of_each(
        Together(work.record_all), [(each.external_call.request, each.reply) for each in replied]
    )
    return {each.external_call.call.saga_id: answer for each, answer in zip(replied, answered, strict=True)}


def _locked(rows: Rows, replied: Sequence[Replied]) -> dict[UUID, Row]:
    return rows.read({each.external_call.call.saga_id for each in replied}, replied[0].external_call.call.step)
