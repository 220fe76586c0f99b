"""Concludes the ledger row of a step with an outcome that an operator reports, with evidence.

*Resolve* is for an open row: a call was made and its outcome is unknown. The service's own rows are written from the
facts that the operator gives. *Settle* is for a parked step that was settled elsewhere: no more calls are made for it.
Settle may have no facts: a refund by bank transfer has no refund at the gateway. Then the service's own rows stay as
they are, the ledger row keeps operator, reason and evidence, and audits accept the difference.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from orchestration.contracts.command import Action
from orchestration.participant import locks
from orchestration.participant.external_steps import BEFORE
from orchestration.participant.ledger import LedgerRow, Status
from orchestration.participant.ledger_store import Call, LedgerChange, Row
from orchestration.participant.manual_outcome import (
    NoSuchRow,
    NotResolved,
    ReportedOutcome,
    Resolved,
    Statement,
    attempted,
    recorded,
)
from orchestration.participant.outcomes import change_to, outcome_of_answer
from orchestration.participant.participant import Participant, ParticipantCommand
from orchestration.participant.reconciliation import external_commands
from orchestration.participant.refusals import Refusal


class ResolvedNotDone(Refusal):
    """It was not done."""

    code = "resolved_not_done"


_OPEN_AS = {
    ReportedOutcome.DONE: Status.STARTED,
    ReportedOutcome.NOT_DONE: Status.STARTED,
    ReportedOutcome.UNDONE: Status.UNDOING,
}
"""The status that a row must have to be resolved with this outcome."""
_STAYS = {
    ReportedOutcome.DONE: (Status.DONE, Status.REFUSED),  # a refusal stays, and the saga continues after the step
    ReportedOutcome.UNDONE: (Status.REFUSED, Status.BARRED, Status.UNDONE),
}
"""The statuses that a row keeps when it is settled with this outcome."""
_BECOMES = {
    ReportedOutcome.DONE: (Status.STARTED,),
    ReportedOutcome.UNDONE: (Status.DONE, Status.UNDOING, Status.WAITING),
}
"""The statuses from which a row gets its outcome."""


def resolve(
    participant: Participant,
    saga_id: UUID,
    step: str,
    statement: Statement,
    *,
    rehearsed: bool = False,
    may_be_repeated: bool = False,
) -> Resolved:
    """Conclude an open row as the statement says, with the service's own rows, in one transaction and under its lock.

    With `rehearsed`, roll back at the end. With `may_be_repeated`, accept a row that this statement has concluded
    already: the process that did so may have died before it changed the saga. No open row holds or waits for a lock:
    only rows with external calls are open.

    :raises NoSuchRow: when the service has no row of the step.
    :raises NotResolved: when the row is not open, or the outcome or a fact does not fit.
    """

    def work() -> Resolved:
        row = _locked(participant, saga_id, step)
        if may_be_repeated and _was_recorded(row, statement):
            return Resolved(row.status, row.status, row.answer, row.refusal)
        if complaint := _not_open(step, row.status, statement.outcome):
            raise NotResolved(complaint)
        call = Call(saga_id, step, row.token, known=dict(row.request or {}))
        if statement.outcome is ReportedOutcome.NOT_DONE:
            return _refused(participant, call, row, statement)
        command, _ = external_commands(participant)[row.status, step]
        return _concluded(participant, call, command, row, statement, act="resolved")

    return attempted(participant, saga_id, work, rehearsed=rehearsed)


def settle(
    participant: Participant,
    call: Call,
    command: ParticipantCommand,
    statement: Statement,
    *,
    still: Callable[[], bool],
    rehearsed: bool = False,
) -> Resolved:
    """Conclude the row of a parked step, in one transaction and under its lock. An action becomes done. A compensation
    becomes undone. If there is no row, insert one, so that a late message does nothing. A lock that the step would
    release is released.

    `still` returns, under that lock, whether the step is still parked. A later message for the step finds the row
    concluded. With `rehearsed`, roll back at the end.

    :raises NotResolved: when the step is not parked, the row cannot get this outcome, or a fact is missing or wrong.
    """

    def work() -> Resolved:
        row = _claimed(participant, call, command)
        if not still():
            raise NotResolved(f"{call.step} is no longer parked: another operator resumed the saga")
        if lock := command.releases if isinstance(command, Action) else command.undoes.holds:
            locks.lock_holds(participant.rows.locks, lock, [call])
            locks.let_go(participant.rows.locks, lock, [call])
        if row.status in _STAYS[statement.outcome]:
            return _unchanged(call, row, statement)
        if statement.outcome is ReportedOutcome.DONE and row.status != Status.STARTED:
            raise NotResolved(f"{call.step} is {row.status}: it can no longer be done")
        return _concluded(participant, call, command, row, statement, act="settled")

    return attempted(participant, call.saga_id, work, rehearsed=rehearsed)


def why_not_open(
    participant: Participant, saga_ids: Collection[UUID], step: str, outcome: ReportedOutcome
) -> dict[UUID, NoSuchRow | NotResolved]:
    """Return, by saga, why its row of the step cannot be resolved with this outcome. Read the rows without locks.

    Only `resolve` checks the facts.
    """
    statuses = dict(_rows(participant, step).filter(saga_id__in=saga_ids).values_list("saga_id", "status"))
    why: dict[UUID, NoSuchRow | NotResolved] = {}
    for saga_id in saga_ids:
        if saga_id not in statuses:
            why[saga_id] = NoSuchRow(f"{participant.service} has no record of {step}")
        elif complaint := _not_open(step, statuses[saga_id], outcome):
            why[saga_id] = NotResolved(complaint)
    return why


def _concluded(
    participant: Participant,
    call: Call,
    command: ParticipantCommand,
    row: LedgerRow | Row,
    statement: Statement,
    *,
    act: str,
) -> Resolved:
    """Give the row its outcome. Resolve needs the facts; settle works without them."""
    reply, undoes = None, statement.outcome is ReportedOutcome.UNDONE
    if undoes and (row.status == Status.STARTED or (row.status == Status.DONE and statement.facts)):
        undoing = LedgerChange(call.saga_id, call.token, Status.UNDOING)
        participant.rows.change(call.step, [undoing], was=BEFORE[Status.UNDOING])
    if statement.facts or act == "resolved":
        reply = recorded(participant, command, call, statement.facts)
    if act == "settled" and isinstance(reply, Refusal):
        raise NotResolved(f"{participant.service} refuses to record it: {reply.as_json()['detail']}")
    note = {_note(call.step, act): asdict(statement.grounds)}
    if undoes:
        ended = Status.BARRED if row.status == Status.WAITING else Status.UNDONE
        change = LedgerChange(call.saga_id, call.token, ended, answer={**(row.answer or {}), **note})
    else:
        change = change_to(call, outcome_of_answer(reply))
        change = replace(change, answer=_answer(statement, change.answer) | note)
    participant.rows.change(call.step, [change], was=_BECOMES[statement.outcome])
    return Resolved(row.status, change.status, change.answer, change.refusal or row.refusal)


def _refused(participant: Participant, call: Call, row: LedgerRow, statement: Statement) -> Resolved:
    if statement.facts:
        raise NotResolved(f"what was not done has no facts, such as {', '.join(statement.facts)}")
    change = change_to(call, outcome_of_answer(ResolvedNotDone(**asdict(statement.grounds))))
    participant.rows.change(call.step, [change], was=[row.status])
    return Resolved(row.status, change.status, change.answer, change.refusal)


def _unchanged(call: Call, row: Row, statement: Statement) -> Resolved:
    if statement.facts:
        given = ", ".join(statement.facts)
        raise NotResolved(f"{call.step} stays {row.status}: leave out {given}, which would be written nowhere")
    answer = _answer(statement, row.answer) if statement.outcome is ReportedOutcome.DONE else row.answer
    return Resolved(row.status, row.status, answer, row.refusal)


def _answer(statement: Statement, answered: Mapping[str, Any] | None) -> dict[str, Any]:
    answer = {**statement.answers, **(answered or {})}
    if missing := statement.needed - answer.keys():
        raise NotResolved(f"later steps need {', '.join(sorted(missing))}")
    return answer


def _claimed(participant: Participant, call: Call, command: ParticipantCommand) -> Row:
    """Return the locked row. If there was none, insert one, so that a late message does nothing."""
    action = isinstance(command, Action)
    participant.rows.claim([call], Status.STARTED if action else Status.BARRED, keep_request=action)
    return participant.rows.read({call.saga_id}, call.step)[call.saga_id]


def _locked(participant: Participant, saga_id: UUID, step: str) -> LedgerRow:
    row = _rows(participant, step).filter(saga_id=saga_id).select_for_update().first()
    if row is None:
        raise NoSuchRow(f"{participant.service} has no record of {step} of saga {saga_id}")
    return row


def _rows(participant: Participant, step: str) -> QuerySet[LedgerRow]:
    return participant.ledger._default_manager.using(participant.service).filter(step=step)


def _not_open(step: str, status: str, outcome: ReportedOutcome) -> str:
    if status not in _OPEN_AS.values():
        return f"{step} is {status}, not open"
    if status != (open_as := _OPEN_AS[outcome]):
        return f"{step} is {status}: only what is {open_as} can be {outcome}"
    return ""


def _was_recorded(row: LedgerRow, statement: Statement) -> bool:
    """Return whether this statement concluded the row."""
    grounds = asdict(statement.grounds)
    match statement.outcome:
        case ReportedOutcome.NOT_DONE:
            return row.status == Status.REFUSED and (row.refusal or {}).get("facts") == grounds
        case ReportedOutcome.DONE:
            return row.status == Status.DONE and (row.answer or {}).get(_note(row.step, "resolved")) == grounds
        case ReportedOutcome.UNDONE:
            return row.status == Status.UNDONE and (row.answer or {}).get(_note(row.step, "resolved")) == grounds


def _note(step: str, act: str) -> str:
    return f"{step}_{act}"  # no step answers a fact of that name
