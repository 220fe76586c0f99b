"""How an action can end at a participant. Any other exception is a failure, whose outcome is unknown."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestration.contracts.codec import encode
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call, LedgerChange, Row
from orchestration.participant.lock_store import Wake
from orchestration.participant.refusals import Refusal


@dataclass(frozen=True)
class Done:
    """The step is done. `answer` holds facts for later steps, ready for JSON."""

    answer: dict[str, Any]
    repeated: bool = field(default=False, compare=False)
    """Whether an earlier message returned it already."""
    wakes: tuple[Wake, ...] = field(default=(), compare=False)
    """The sagas to which a lock was handed over."""


@dataclass(frozen=True)
class Refused:
    """The participant refused the step."""

    refusal: dict[str, Any]
    repeated: bool = field(default=False, compare=False)
    wakes: tuple[Wake, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Barred:
    """The step was compensated before it was done: this copy of the chain ends here."""


@dataclass(frozen=True)
class Superseded:
    """A message of a later dispatch has written the row: this copy of the chain ends here."""


@dataclass(frozen=True)
class Queued:
    """The saga waits for the lock on `resource`, which the saga `holder` holds.

    `before` is the number of other waiting sagas that get the lock earlier.
    """

    resource: str
    holder: UUID
    before: int
    since: datetime


Outcome = Done | Refused | Barred | Superseded | Queued


@dataclass(frozen=True)
class BarResult:
    """Whether the bar holds. It does not hold if the step was done before."""

    holds: bool


def is_superseded(row: Row | None, call: Call) -> bool:
    """Return whether a message of a later dispatch has written the row. Then this call must have no effect.

    Tokens only grow, and a row has the token of a message. So the newest message of a saga is never superseded, and
    what an older one would still do is up to that one.
    """
    return row is not None and call.token < row.token


def outcome_of(row: Row, call: Call) -> Outcome:
    """Return the outcome that an action repeats when it finds this row, unchanged."""
    if is_superseded(row, call):
        return Superseded()
    if row.status == Status.DONE:
        return Done(row.answer or {}, repeated=True)
    if row.status == Status.REFUSED:
        return Refused(row.refusal or {}, repeated=True)
    return Barred()


def outcome_of_answer(answer: Any) -> Done | Refused:
    """Return the outcome of a service function from its answer (None for no facts) or its Refusal.

    :raises TypeError: when the answer is no contract value. Later steps could not read it.
    """
    if isinstance(answer, Refusal):
        return Refused(answer.as_json())
    facts = encode(answer) if answer is not None else {}
    if not isinstance(facts, dict):
        raise TypeError(f"an action answers with a contract value or None, not with {answer!r}")
    return Done(facts)


def change_to(call: Call, outcome: Done | Refused) -> LedgerChange:
    """Return the change of the call's row."""
    if isinstance(outcome, Refused):
        return LedgerChange(call.saga_id, call.token, Status.REFUSED, refusal=outcome.refusal)
    return LedgerChange(call.saga_id, call.token, Status.DONE, answer=outcome.answer)
