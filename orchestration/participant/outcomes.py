"""How an action can end at a participant. Anything else it raises is a failure: nobody knows."""

from dataclasses import dataclass
from typing import Any

from orchestration.participant.ledger import Status
from orchestration.participant.rows import Row


@dataclass(frozen=True)
class Done:
    """`answer` holds the facts that later steps may need, JSON-ready."""

    answer: dict[str, Any]


@dataclass(frozen=True)
class Refused:
    refusal: dict[str, Any]


@dataclass(frozen=True)
class Barred:
    """The step was compensated before it was done: this copy of the chain ends here."""


Outcome = Done | Refused | Barred


def outcome_of(row: Row) -> Outcome:
    """What an action repeats when it finds this row: word for word what was said before."""
    if row.status == Status.DONE:
        return Done(row.answer or {})
    if row.status == Status.REFUSED:
        return Refused(row.refusal or {})
    return Barred()
