"""Actions and compensations at a gateway or carrier: never called inside a transaction, asked before repeated."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import IntegrityError

from orchestration.contracts.codec import decode, encode
from orchestration.contracts.command import Action, Compensation
from orchestration.participant import rows, transactions
from orchestration.participant.breaker import BreakerOpen
from orchestration.participant.ledger import Status
from orchestration.participant.outcomes import Done, Outcome, Refused, outcome_of
from orchestration.participant.outside import Keys, OutcomeUnknown, Outside
from orchestration.participant.participant import Participant
from orchestration.participant.refusals import Refusal
from orchestration.participant.rows import Call, Change, Row


class _Overtaken(Exception):
    """Another copy of the message, or a compensation, has changed the row meanwhile."""


def act(participant: Participant, action: Action, work: Outside, call: Call) -> Outcome:
    """Commit *started*, call, commit the result. Whoever finds *started* asks before it calls again."""
    request: Any = decode(action.request, call.known)
    found = _start(participant, work, call)
    if found is not None and found.is_final:
        return outcome_of(found)
    key = f"{call.saga_id}:{action.step}:action"
    try:
        reply = _reply(work, request, Keys(own=key, action=key), since=found.created_at if found else None)
    except Refusal as refusal:
        reply = refusal
    try:
        return transactions.run(participant.service, lambda: _conclude(participant, work, call, request, reply))
    except (_Overtaken, IntegrityError):
        row = _look(participant, call)
        if row is None or not row.is_final:
            raise
        return outcome_of(row)


def undo(participant: Participant, compensation: Compensation, work: Outside, call: Call) -> None:
    """Bar what was never started; for the rest commit *undoing*, call, commit *undone*."""
    found = transactions.run(participant.service, lambda: _start_undoing(participant, work, call))
    if found is None or found.status not in (Status.STARTED, Status.DONE, Status.UNDOING):
        return
    request: Any = decode(compensation.request, call.known)
    keys = Keys(
        own=f"{call.saga_id}:{compensation.step}:compensation", action=f"{call.saga_id}:{compensation.step}:action"
    )
    reply = _reply(work, request, keys, since=found.changed_at if found.status == Status.UNDOING else None)
    transactions.run(participant.service, lambda: _conclude_undoing(participant, work, call, request, reply))


def _start(participant: Participant, work: Outside, call: Call) -> Row | None:
    """Claim the row as *started*, or return the row that is there. An open breaker leaves no trace of the attempt."""
    until = work.breaker.open_until()
    if until is None and transactions.repeated(participant.service, lambda: _claim(participant, call)):
        return None
    row = _look(participant, call)
    if until is not None and (row is None or not row.is_final):
        raise BreakerOpen(work.breaker.name, until)
    return row


def _claim(participant: Participant, call: Call) -> bool:
    return bool(rows.claim(participant.ledger, participant.service, [call], Status.STARTED, keep_request=True))


def _start_undoing(participant: Participant, work: Outside, call: Call) -> Row | None:
    if rows.claim(participant.ledger, participant.service, [call], Status.BARRED):
        return None
    row = rows.look(participant.ledger, participant.service, [call.saga_id], call.step)[call.saga_id]
    if row.status in (Status.STARTED, Status.DONE):
        if (until := work.breaker.open_until()) is not None:
            raise BreakerOpen(work.breaker.name, until)
        if row.status == Status.STARTED:
            _refuse_if_forgotten(work, since=row.created_at)
        _set(participant, call, Change(call.saga_id, Status.UNDOING), was=[row.status])
    return row


def _reply(work: Outside, request: Any, keys: Keys, *, since: datetime | None) -> Any:
    """Call, or, when an earlier call may have been made (`since`), ask first what became of it.

    :raises OutcomeUnknown: when the other side may have forgotten the key, and with it the earlier call.
    """
    if since is not None:
        reply = _through(work, work.find, request, keys)
        if reply is not None:
            return reply
        _refuse_if_forgotten(work, since)
    return _through(work, work.call, request, keys)


def _through(work: Outside, ask: Callable[[Any, Keys], Any], request: Any, keys: Keys) -> Any:
    with work.breaker.calling():
        return ask(request, keys)


def _refuse_if_forgotten(work: Outside, since: datetime) -> None:
    if datetime.now(UTC) - since > work.key_lifetime:
        raise OutcomeUnknown(OutcomeUnknown.__doc__)


def _conclude(participant: Participant, work: Outside, call: Call, request: Any, reply: Any) -> Outcome:
    if isinstance(reply, Refusal):
        refused = Refused(reply.as_json())
        _set(participant, call, Change(call.saga_id, Status.REFUSED, refusal=refused.refusal), was=[Status.STARTED])
        return refused
    recorded = work.record(request, reply)
    done = Done(encode(recorded) if recorded is not None else {})
    _set(participant, call, Change(call.saga_id, Status.DONE, answer=done.answer), was=[Status.STARTED])
    return done


def _conclude_undoing(participant: Participant, work: Outside, call: Call, request: Any, reply: Any) -> None:
    row = rows.look(participant.ledger, participant.service, [call.saga_id], call.step)[call.saga_id]
    if row.status == Status.UNDOING:
        work.record(request, reply)
        _set(participant, call, Change(call.saga_id, Status.UNDONE), was=[Status.UNDOING])


def _look(participant: Participant, call: Call) -> Row | None:
    return rows.look(participant.ledger, participant.service, [call.saga_id], call.step, lock=False).get(call.saga_id)


def _set(participant: Participant, call: Call, change: Change, *, was: Sequence[str]) -> None:
    if not rows.change(participant.ledger, participant.service, call.step, [change], was=was):
        raise _Overtaken(_Overtaken.__doc__)
