"""An open ledger row concluded on the word of a person who has the other side's statement in hand."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any, TypeVar
from uuid import UUID

from django.db import IntegrityError
from django.db.models import QuerySet
from psycopg import errors

from orchestration.contracts.codec import Malformed, decode
from orchestration.failpoints import Failpoint, FailpointKind
from orchestration.participant.batch import Together, results_of_each
from orchestration.participant.external import ExternalCommand
from orchestration.participant.ledger import LedgerRow, Status
from orchestration.participant.ledger_store import Call, LedgerChange
from orchestration.participant.manual_outcome import Grounds, Outcome, Statement
from orchestration.participant.outcomes import change_to, outcome_of_answer
from orchestration.participant.participant import Command, Participant
from orchestration.participant.reconciliation import external_commands
from orchestration.participant.refusals import Refusal

T = TypeVar("T")

__all__ = (
    "Grounds",
    "NoSuchRow",
    "NotResolved",
    "Outcome",
    "Resolved",
    "Statement",
    "attempted",
    "recorded",
    "resolve",
    "wanted",
    "why_not_open",
)


class NoSuchRow(LookupError):
    """The service remembers nothing of this step."""


class NotResolved(Exception):
    """The row stays as it is; the message says why."""


class ResolvedNotDone(Refusal):
    """It was not done."""

    code = "resolved_not_done"


_SAID_OF = {Outcome.DONE: Status.STARTED, Outcome.NOT_DONE: Status.STARTED, Outcome.UNDONE: Status.UNDOING}


@dataclass(frozen=True)
class Resolved:
    """What the row was, and what it is now."""

    was: str
    status: str
    answer: dict[str, Any] | None
    refusal: dict[str, Any] | None


class _Rehearsed(Exception):
    """It would work: take it all back."""


def resolve(
    participant: Participant,
    saga_id: UUID,
    step: str,
    statement: Statement,
    *,
    rehearsed: bool = False,
    may_be_told: bool = False,
) -> Resolved:
    """Conclude the row as the statement says, with the service's own rows, in one transaction and under its lock.

    With `rehearsed` all of it is done and taken back. With `may_be_told` a row that was concluded on this very word is
    as good: whoever brought it may have died before the saga heard of it.

    :raises NoSuchRow: when the service remembers nothing of the step.
    :raises NotResolved: when the row is not open, or the outcome or a fact does not fit.
    """
    return attempted(
        participant,
        saga_id,
        lambda: _conclude(participant, _locked(participant, saga_id, step), statement, may_be_told),
        rehearsed=rehearsed,
    )


def why_not_open(
    participant: Participant, saga_ids: Collection[UUID], step: str, outcome: Outcome
) -> dict[UUID, NoSuchRow | NotResolved]:
    """Why the step's rows of these sagas cannot be concluded so, read at once and without locks, by saga.

    Whether the facts fit, only `resolve` finds out.
    """
    statuses = dict(_rows(participant, step).filter(saga_id__in=saga_ids).values_list("saga_id", "status"))
    why: dict[UUID, NoSuchRow | NotResolved] = {}
    for saga_id in saga_ids:
        if saga_id not in statuses:
            why[saga_id] = NoSuchRow(f"{participant.service} has no record of {step}")
        elif complaint := _not_open(step, statuses[saga_id], outcome):
            why[saga_id] = NotResolved(complaint)
    return why


def attempted(participant: Participant, saga_id: UUID, work: Callable[[], T], *, rehearsed: bool) -> T:
    """Do it in one transaction of the service; with `rehearsed` take it back again.

    :raises NotResolved: when the service's database does not hold what it would become.
    """
    made: list[T] = []

    def do() -> None:
        made[:] = [work()]
        if rehearsed:
            participant.rows.flush()  # what the database will not hold is to be found out
            raise _Rehearsed

    try:
        participant.rows.transaction(Failpoint(FailpointKind.CONCLUDE, "resolve", [saga_id]), do)
    except _Rehearsed:
        pass
    except IntegrityError as error:
        raise NotResolved(f"{participant.service} cannot hold that: {_broken_rule(error)}") from error
    return made[0]


def wanted(facts: type) -> str:
    """The facts that a command wants, for a person."""
    needed = [each.name for each in fields(facts) if each.default is MISSING]
    other = [each.name for each in fields(facts) if each.default is not MISSING]
    may = f", and may have {', '.join(other)}" if other else ""
    return f"{', '.join(needed)}{may}: {' '.join((facts.__doc__ or '').split())}"


def recorded(command: Command, work: ExternalCommand, call: Call, facts: Mapping[str, str]) -> Any:
    """Write the service's own rows from the facts and return the command's answer.

    A request that needs no external call has only one possible reply, independent of the facts.
    """
    if work.facts is None:
        raise NotResolved(f"{command.name} takes no facts from an operator")
    try:
        request: Any = decode(command.request, call.known)
    except Malformed as error:
        raise NotResolved(f"the saga does not know what {command.name} is about: {error}") from error
    try:
        reported = work.reported(request, _read(work.facts, facts))
    except Malformed as error:
        raise NotResolved(f"{error}. {command.name} wants {wanted(work.facts)}") from error
    own = work.local_reply(request)
    return results_of_each(Together(work.record_all), [(request, reported if own is None else own)])[0]


def _locked(participant: Participant, saga_id: UUID, step: str) -> LedgerRow:
    row = _rows(participant, step).filter(saga_id=saga_id).select_for_update().first()
    if row is None:
        raise NoSuchRow(f"{participant.service} has no record of {step} of saga {saga_id}")
    return row


def _rows(participant: Participant, step: str) -> QuerySet[LedgerRow]:
    return participant.ledger._default_manager.using(participant.service).filter(step=step)


def _not_open(step: str, status: str, outcome: Outcome) -> str:
    if status not in _SAID_OF.values():
        return f"{step} is {status}, not open"
    if status != (open_as := _SAID_OF[outcome]):
        return f"{step} is {status}: only what is {open_as} can be {outcome}"
    return ""


def _conclude(participant: Participant, row: LedgerRow, statement: Statement, may_be_told: bool) -> Resolved:
    if may_be_told and _was_told(row, statement):
        return Resolved(row.status, row.status, row.answer, row.refusal)
    if complaint := _not_open(row.step, row.status, statement.outcome):
        raise NotResolved(complaint)
    change = _change(participant, row, statement)
    participant.rows.change(row.step, [change], was=[row.status])
    return Resolved(row.status, change.status, change.answer, change.refusal)


def _was_told(row: LedgerRow, statement: Statement) -> bool:
    """Whether it was concluded on this very word."""
    grounds = asdict(statement.grounds)
    match statement.outcome:
        case Outcome.NOT_DONE:
            return row.status == Status.REFUSED and (row.refusal or {}).get("facts") == grounds
        case Outcome.DONE:
            return row.status == Status.DONE and (row.answer or {}).get(_note(row)) == grounds
        case Outcome.UNDONE:
            return row.status == Status.UNDONE and (row.answer or {}).get(_note(row)) == grounds


def _note(row: LedgerRow) -> str:
    return f"{row.step}_resolved"  # by that name no step answers anything


def _change(participant: Participant, row: LedgerRow, statement: Statement) -> LedgerChange:
    """What becomes of the row; the service's own rows are written."""
    call = Call(row.saga_id, row.step, row.token, known=dict(row.request or {}))
    if statement.outcome is Outcome.NOT_DONE:
        if statement.facts:
            raise NotResolved(f"what was not done has no facts, such as {', '.join(statement.facts)}")
        return change_to(call, outcome_of_answer(ResolvedNotDone(**asdict(statement.grounds))))
    answer = recorded(*external_commands(participant)[row.status, row.step], call, statement.facts)
    note = {_note(row): asdict(statement.grounds)}
    if statement.outcome is Outcome.UNDONE:
        return LedgerChange(call.saga_id, call.token, Status.UNDONE, answer={**(row.answer or {}), **note})
    change = change_to(call, outcome_of_answer(answer))
    return replace(change, answer={**(change.answer or {}), **note})


def _read(facts: type, typed: Mapping[str, str]) -> Any:
    """The facts as the command wants them; one that says nothing counts as missing."""
    if unknown := typed.keys() - {each.name for each in fields(facts)}:
        raise Malformed(f"{', '.join(sorted(unknown))} is not asked for")
    return decode(facts, {name: text.strip() for name, text in typed.items() if text.strip()})


def _broken_rule(error: IntegrityError) -> str:
    cause = error.__cause__
    return (isinstance(cause, errors.IntegrityError) and cause.diag.constraint_name) or str(error)
