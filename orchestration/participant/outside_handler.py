"""Actions and compensations at a gateway or carrier: never called inside a transaction, asked before repeated."""

from datetime import UTC, datetime
from typing import Any

from django.db import connections

from orchestration.contracts.codec import decode
from orchestration.contracts.command import Action, Compensation
from orchestration.participant import rows, transactions
from orchestration.participant.breaker import BreakerOpen
from orchestration.participant.ledger import Status
from orchestration.participant.outcomes import Outcome, change_to, outcome_of, outcome_told
from orchestration.participant.outside import Keys, OutcomeUnknown, Outside
from orchestration.participant.participant import Participant
from orchestration.participant.refusals import Refusal
from orchestration.participant.rows import Call, Change, Row

BEFORE: dict[str, list[Status]] = {
    Status.DONE: [Status.STARTED],
    Status.REFUSED: [Status.STARTED],
    Status.UNDOING: [Status.STARTED, Status.DONE],
    Status.UNDONE: [Status.UNDOING],
}
"""What a row may have been before a call outside changed it."""


def act(participant: Participant, action: Action, work: Outside, call: Call) -> Outcome:
    """Commit *started*, call, commit the result. Whoever finds *started* asks before it calls again."""
    request: Any = decode(action.request, call.known)
    found = _start(participant, work, call)
    if found is not None and found.is_final:
        return outcome_of(found)
    key = f"{call.saga_id}:{action.step}:action"
    try:
        reply = _reply(
            participant.service, work, request, Keys(own=key, action=key), since=found.created_at if found else None
        )
    except Refusal as refusal:
        reply = refusal
    return transactions.run(participant.service, lambda: _conclude(participant, work, call, request, reply))


def undo(participant: Participant, compensation: Compensation, work: Outside, call: Call) -> None:
    """Bar what was never started; for the rest commit *undoing*, call, commit *undone*."""
    started = transactions.run(participant.service, lambda: _start_undoing(participant, compensation, work, call))
    if started is None:
        return
    found, request = started
    keys = Keys(
        own=f"{call.saga_id}:{compensation.step}:compensation",
        action=f"{call.saga_id}:{compensation.step}:action",
        forgotten=_is_forgotten(work, found.created_at),
    )
    reply = _reply(
        participant.service, work, request, keys, since=found.changed_at if found.status == Status.UNDOING else None
    )
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


def _start_undoing(
    participant: Participant, compensation: Compensation, work: Outside, call: Call
) -> tuple[Row, Any] | None:
    """Leave the row *undoing*; return it as it was, with the request. None when there is nothing to reverse.

    What cannot be read must not leave a row that says a reversing call may have been made.
    """
    if rows.claim(participant.ledger, participant.service, [call], Status.BARRED):
        return None
    row = _locked(participant, call)
    if row.status not in (Status.STARTED, Status.DONE, Status.UNDOING):
        return None
    request: Any = decode(compensation.request, call.known)
    if row.status != Status.UNDOING:
        if (until := work.breaker.open_until()) is not None:
            raise BreakerOpen(work.breaker.name, until)
        _set(participant, call, Change(call.saga_id, call.token, Status.UNDOING))
    return row, request


def _reply(alias: str, work: Outside, request: Any, keys: Keys, *, since: datetime | None) -> Any:
    """Call, or, when an earlier call may have been made (`since`), ask first what became of it.

    To the breaker both are one call: reads that work say nothing of writes that fail.

    :raises OutcomeUnknown: when the other side may have forgotten the key, and with it the earlier call.
    """
    connections[alias].close()  # back to the pool: the other side may take its time
    with work.breaker.calling():
        if since is not None:
            reply = work.find(request, keys)
            if reply is not None:
                return reply
            if _is_forgotten(work, since):
                raise OutcomeUnknown(OutcomeUnknown.__doc__)
        return work.call(request, keys)


def _is_forgotten(work: Outside, since: datetime) -> bool:
    return work.key_lifetime is not None and datetime.now(UTC) - since > work.key_lifetime


def _conclude(participant: Participant, work: Outside, call: Call, request: Any, reply: Any) -> Outcome:
    row = _locked(participant, call)
    if row.is_final:  # another copy of this message, or a compensation, was faster
        return outcome_of(row)
    outcome = outcome_told(reply if isinstance(reply, Refusal) else work.record(request, reply))
    _set(participant, call, change_to(call, outcome))
    return outcome


def _conclude_undoing(participant: Participant, work: Outside, call: Call, request: Any, reply: Any) -> None:
    if _locked(participant, call).status == Status.UNDOING:
        work.record(request, reply)
        _set(participant, call, Change(call.saga_id, call.token, Status.UNDONE))


def _look(participant: Participant, call: Call) -> Row | None:
    return rows.look(participant.ledger, participant.service, [call.saga_id], call.step, lock=False).get(call.saga_id)


def _locked(participant: Participant, call: Call) -> Row:
    return rows.look(participant.ledger, participant.service, [call.saga_id], call.step)[call.saga_id]


def _set(participant: Participant, call: Call, change: Change) -> None:
    """Change a row that this transaction has locked and looked at."""
    rows.change(participant.ledger, participant.service, call.step, [change], was=BEFORE[change.status])
