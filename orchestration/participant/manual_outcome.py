"""What a person with a statement of the other side in hand says became of a call outside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What a person can say became of a call outside."""

    DONE = "done"
    NOT_DONE = "not-done"
    UNDONE = "undone"


@dataclass(frozen=True)
class Grounds:
    """Who says it, why, and what shows it: kept in the ledger row."""

    by: str
    reason: str
    evidence: str


@dataclass(frozen=True)
class Statement:
    """What a person says became of a call outside; `facts` are the texts that its command takes from an operator."""

    outcome: Outcome
    grounds: Grounds
    facts: Mapping[str, str] = field(default_factory=dict)
