"""How an action can end at a participant. Anything else it raises is a failure: nobody knows."""

from dataclasses import dataclass, field
from typing import Any

from orchestration.contracts.codec import encode
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call, LedgerChange, Row
from orchestration.participant.refusals import Refusal


@dataclass(frozen=True)
class Done:
    """`answer` holds the facts that later steps may need, JSON-ready."""

    answer: dict[str, Any]
    repeated: bool = field(default=False, compare=False)
    """Whether it was said before."""


@dataclass(frozen=True)
class Refused:
    refusal: dict[str, Any]
    repeated: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Barred:
    """The step was compensated before it was done: this copy of the chain ends here."""


Outcome = Done | Refused | Barred


def outcome_of(row: Row) -> Outcome:
    """What an action repeats when it finds this row: word for word what was said before."""
    if row.status == Status.DONE:
        return Done(row.answer or {}, repeated=True)
    if row.status == Status.REFUSED:
        return Refused(row.refusal or {}, repeated=True)
    return Barred()


def outcome_of_answer(answer: Any) -> Done | Refused:
    """How a service function ended, from what it answered (None: nothing to tell) or the Refusal it raised."""
    if isinstance(answer, Refusal):
        return Refused(answer.as_json())
    return Done(encode(answer) if answer is not None else {})


def change_to(call: Call, outcome: Done | Refused) -> LedgerChange:
    """What becomes of the call's row."""
    if isinstance(outcome, Refused):
        return LedgerChange(call.saga_id, call.token, Status.REFUSED, refusal=outcome.refusal)
    return LedgerChange(call.saga_id, call.token, Status.DONE, answer=outcome.answer)
