"""What an operator reports of a step, and how a service's own rows are written from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from django.db import IntegrityError
from psycopg import errors

from orchestration.contracts.codec import Malformed, decode
from orchestration.contracts.command import required_fields
from orchestration.failpoints import Failpoint, FailpointKind
from orchestration.participant.batch import Together, results_of_each
from orchestration.participant.external import ExternalCommand
from orchestration.participant.ledger_store import Call
from orchestration.participant.participant import Participant, ParticipantCommand

T = TypeVar("T")


class ReportedOutcome(StrEnum):
    """What an operator can report of an external call."""

    DONE = "done"
    NOT_DONE = "not-done"
    UNDONE = "undone"


class NoSuchRow(LookupError):
    """The service remembers nothing of this step."""


class NotResolved(Exception):
    """The row stays as it is; the message says why."""


@dataclass(frozen=True)
class Grounds:
    """The operator, the reason and the evidence: kept in the ledger row."""

    by: str
    reason: str
    evidence: str


@dataclass(frozen=True)
class Statement:
    """What an operator reports of a step: `facts` are the texts that its command takes from an operator.

    For settle: `answers` are facts of the action's answer for later steps, which cannot do without those in `needed`.
    """

    outcome: ReportedOutcome
    grounds: Grounds
    facts: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Resolved:
    """The row before, and after."""

    was: str
    status: str
    answer: dict[str, Any] | None
    refusal: dict[str, Any] | None


class _Rehearsed(Exception):
    """It would work: take it all back."""


def facts_wanted(participant: Participant, command: ParticipantCommand) -> str:
    """Describe the facts that the command takes from an operator; return an empty text if it takes none."""
    work = participant.commands[command]
    return wanted(work.facts) if isinstance(work, ExternalCommand) and work.facts else ""


def wanted(facts: type) -> str:
    """Describe the facts that a command wants."""
    needed = required_fields(facts)
    other = [each.name for each in fields(facts) if each.name not in needed]
    may = f", and may have {', '.join(other)}" if other else ""
    return f"{', '.join(needed)}{may}: {' '.join((facts.__doc__ or '').split())}"


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


def recorded(participant: Participant, command: ParticipantCommand, call: Call, facts: Mapping[str, str]) -> Any:
    """Write the service's own rows from the facts and return the command's answer.

    A request that needs no external call has only one possible reply, independent of the facts.
    """
    work = participant.commands[command]
    if not isinstance(work, ExternalCommand) or work.facts is None:
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


def _read(facts: type, typed: Mapping[str, str]) -> Any:
    """Read the facts as the command wants them; an empty one counts as missing."""
    if unknown := typed.keys() - {each.name for each in fields(facts)}:
        raise Malformed(f"{', '.join(sorted(unknown))} is not asked for")
    return decode(facts, {name: text.strip() for name, text in typed.items() if text.strip()})


def _broken_rule(error: IntegrityError) -> str:
    cause = error.__cause__
    return (isinstance(cause, errors.IntegrityError) and cause.diag.constraint_name) or str(error)
