"""The stages of a case: its order is placed, changed before, and changed; the last one meets the fault."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from tests.faults.cases import Case


class Stage(StrEnum):
    """What a saga of a case does."""

    CHECKOUT = "checkout"
    BEFORE = "before"
    CHANGE = "change"


@dataclass(frozen=True)
class Staged:
    """One saga of a case. A change names the checkout that has placed its order."""

    case: Case
    stage: Stage = Stage.CHECKOUT
    checkout_id: UUID | None = None
