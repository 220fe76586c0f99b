"""How an action can end at a participant. Any other exception is a failure, whose outcome is unknown."""

from dataclasses import dataclass, field
from typing import Any

from orchestration.contracts.codec import encode
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call, LedgerChange, Row
from orchestration.participant.refusals import Refusal


@dataclass(frozen=True)
class Done:
    """The step is done. `answer` holds facts for later steps, ready for JSON."""

    answer: dict[str, Any]
    repeated: bool = field(default=False, compare=False)
    """Whether an earlier message returned it already."""


@dataclass(frozen=True)
class Refused:
    """The participant refused the step."""

    refusal: dict[str, Any]
    repeated: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Barred:
    """The step was compensated before it was done: this copy of the chain ends here."""


Outcome = Done | Refused | Barred


@dataclass(frozen=True)
class BarResult:
    """Whether the bar holds. It does not hold if the step was done before."""

    holds: bool


def outcome_of(row: Row) -> Outcome:
    """Return the outcome that an action repeats when it finds this row, unchanged."""
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
