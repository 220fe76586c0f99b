"""Values of operators' actions: the request with its operator and reason, and the preview of its effects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from orchestration.models.actions import Code, MachineryAction, OperatorAction, Via
from orchestration.participant.manual_outcome import ReportedOutcome
from orchestration.text.cleaning import can_be_stored, harmless_text
from orchestration.text.formatting import for_the_record, says_something

PERMISSIONS: Mapping[OperatorAction, str] = {action: f"orchestration.{action}_saga" for action in OperatorAction}
LONGEST_TEXT = 1_000
"""The most characters of a reason or of evidence."""
NEEDS_EVIDENCE = frozenset({OperatorAction.RESOLVE, OperatorAction.SETTLE})
NEEDS_STEP = NEEDS_EVIDENCE


class NotAsked(ValueError):
    """The request lacks something that the action needs; the message says what."""


@dataclass(frozen=True)
class Actor:
    """The operator. `user_id` is None for a name that was given at a command line without a password."""

    name: str
    user_id: int | None
    via: Via

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", harmless_text(self.name))


@dataclass(frozen=True)
class Ask:
    """What an operator wants done to a saga.

    `step` is for resolve and settle, with the `outcome` (for settle the default is done), the `facts` that the service
    needs, and the `evidence`. Reason and evidence are stored as one line each, without control characters. With `void`,
    money that a settled step leaves on hold is voided.

    :raises NotAsked: when the reason is missing, or something else that the action needs.
    """

    action: OperatorAction
    actor: Actor
    reason: str
    step: str = ""
    outcome: ReportedOutcome | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    evidence: str = ""
    void: bool = False

    def __post_init__(self) -> None:
        _refuse_missing(self.action, self.actor, self.reason)
        if self.void and (self.action is not OperatorAction.SETTLE or self.facts):
            raise NotAsked("void is for settle without facts: with facts, you say that you have moved the money")
        if self.action in NEEDS_STEP and not self.step:
            raise NotAsked(f"{self.action} needs a step")
        if self.action in NEEDS_EVIDENCE and not says_something(self.evidence):
            raise NotAsked(f"{self.action} needs evidence")
        _refuse_unstorable(self.reason, self.step, self.evidence)
        object.__setattr__(self, "reason", for_the_record(self.reason))
        object.__setattr__(self, "evidence", for_the_record(self.evidence))
        if self.action is OperatorAction.RESOLVE and self.outcome is None:
            raise NotAsked("resolve needs the outcome")
        if self.action is OperatorAction.SETTLE and self.outcome is None:
            object.__setattr__(self, "outcome", ReportedOutcome.DONE)

    @property
    def statement(self) -> dict[str, Any] | None:
        """The outcome of the step by the operator's statement, JSON-ready, for logs; None for other actions."""
        return {"outcome": self.outcome.value, "facts": dict(self.facts)} if self.outcome else None


@dataclass(frozen=True)
class MachineryAsk:
    """What an operator wants done to a breaker or a dead letter: `subject` is a breaker's name, or "queue/id".

    `wanted` holds further parameters, JSON-ready, such as the time until which a breaker stays open. The reason is
    stored as one line, without control characters.

    :raises NotAsked: when the operator or the reason is missing.
    """

    action: MachineryAction
    actor: Actor
    reason: str
    subject: str
    wanted: Mapping[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _refuse_missing(self.action, self.actor, self.reason)
        _refuse_unstorable(self.reason)
        object.__setattr__(self, "reason", for_the_record(self.reason))


@dataclass(frozen=True)
class Skipped:
    """A step that the action does not touch, with the reason."""

    step: str
    why: str


@dataclass(frozen=True)
class WhyNot:
    """Why an action is refused: a code for programs, and a sentence."""

    code: Code
    sentence: str


@dataclass(frozen=True)
class Preview:
    """What an action would do to the saga at this `version`; if it is not `possible`, why not."""

    saga_id: UUID
    possible: bool
    code: str
    why_not: str
    will: tuple[str, ...] = ()
    """What happens, as sentences in the order of events."""
    skipped: tuple[Skipped, ...] = ()
    money: tuple[str, ...] = ()
    """The effects on the customer's money, as sentences; empty if there are none."""
    version: int = 0
    facts_wanted: str = field(default="", kw_only=True)
    """For resolve and settle: a sentence with the facts that the service needs."""


def _refuse_missing(action: StrEnum, actor: Actor, reason: str) -> None:
    if not says_something(actor.name):
        raise NotAsked("the operator's name is missing")
    if not says_something(reason):
        raise NotAsked(f"{action} needs a reason")


def _refuse_unstorable(*texts: str) -> None:
    if not all(map(can_be_stored, texts)):
        raise NotAsked("reason, step or evidence contains characters that cannot be stored")
    if max(map(len, texts)) > LONGEST_TEXT:
        raise NotAsked(f"reason and evidence have {LONGEST_TEXT} characters at most")
