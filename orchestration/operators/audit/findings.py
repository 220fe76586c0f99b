"""The result of an audit: counts of checks, violations, and checks that could not be made."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from uuid import UUID

from orchestration.contracts.audit import Checked
from orchestration.operators.audit.values import Gap, Reach, reach_of
from orchestration.participant.participant import participants
from orchestration.text.cleaning import harmless_text, text_of

ACROSS_SERVICES: Mapping[str, str] = {
    "A3": "a ledger row's history is a legal path",
    "A4": "one effect at most for each saga and step, never more reversals than effects",
    "A5": "a saga's log is gapless, phases and tokens never go back, nothing follows its end",
    "A6": "nothing is compensated after the pivot; else everything is, the last step first",
    "A7": "one saga, and one order at most, for each customer and key",
    "L1": "a saga that holds a lock has a ledger row that says so",
    "L2": "no saga that has ended holds a lock or waits for one",
    "L3": "sagas wait only for locks that are held",
    "L4": "locks are handed over in the order in which sagas asked",
    "L5": "no saga waits for a lock after its pivot",
    "L6": "no fencing token is used that was never given",
    "Q1": "every saga has ended",
    "Q2": "completed: one order, its units held or gone, one capture, one live parcel; no units or parcel if cancelled",
    "Q3": "compensated: no order, no units held, no money taken or held, no live parcel",
    "Q4": "the gateway keeps what orders are worth less what they gave back, and payments agree with its books",
    "Q5": "an order's total is the sum of its lines and what was captured",
    "Q6": "every row, and every key at gateway and carrier, has its saga",
    "R1": "no more is given back than was captured, at orders, payments and the gateway",
    "R2": "an order has one open change at most, whose saga has not ended",
}
NEED_THE_SAGA = frozenset({"A4", "A5", "A6", "Q2", "Q3", "Q6"})
"""Invariants over records that a purge removes."""


def invariants() -> dict[str, str]:
    """Return the rule of every invariant by its code, including those of single services, sorted by code."""
    of_services = (participant.audit.invariants for participant in participants().values())
    return dict(sorted(chain(ACROSS_SERVICES.items(), *(each.items() for each in of_services))))


@dataclass(frozen=True)
class Violation:
    """One broken invariant: a sentence, and the ids concerned by their kind, such as "saga" or "sku"."""

    invariant: str
    message: str
    ids: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the violation as the command prints it."""
        return {"invariant": self.invariant, "message": self.message, "ids": dict(self.ids)}


@dataclass
class Findings:
    """The findings of an audit so far."""

    checked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(invariants(), 0))
    """Number of checks made, by invariant."""
    violations: list[Violation] = field(default_factory=list)
    accepted: list[tuple[Violation, str]] = field(default_factory=list)
    """Violations explained by a step that an operator settled externally, each with the operator's evidence."""
    not_made: list[Gap] = field(default_factory=list)
    """Checks that could not be made, and why."""

    @property
    def ok(self) -> bool:
        """Whether nothing that could be checked is violated."""
        return not self.violations

    @property
    def reach(self) -> Reach:
        """The invariants that the audit could not check, or only in part."""
        return reach_of(self.checked, self.not_made)

    def cannot_check(self, invariants: str, why: str) -> None:
        """Record that these invariants ("A1 Q4") could not be checked, or only in part, and why."""
        self.not_made.append(Gap(tuple(invariants.split()), why))

    def look_at(self, invariant: str, count: int = 1) -> None:
        """Count checks of the invariant."""
        self.checked[invariant] += count

    def take(self, checks: Iterable[Checked]) -> None:
        """Count the checks of a service and record their violations."""
        for checked in checks:
            self.look_at(checked.invariant)
            for fault in checked.faults:
                self.violated(checked.invariant, fault, **checked.ids)

    def violated(self, invariant: str, message: str, **ids: object) -> None:
        """Record a violation. Control characters are removed, because it may quote texts of external systems."""
        cleaned = {name: text_of(value) for name, value in ids.items()}
        self.violations.append(Violation(invariant, harmless_text(message), cleaned))

    def leave_out(self, purged: Collection[UUID]) -> None:
        """Drop violations of purged sagas whose cause is that the purge removed their rows, log or ledger rows."""
        ids = set(map(str, purged))
        self.violations = [
            each for each in self.violations if each.invariant not in NEED_THE_SAGA or each.ids.get("saga") not in ids
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the findings as the command prints them."""
        return {
            "ok": self.ok,
            "is_whole": self.reach.is_whole,
            "not_checked": list(self.reach.not_checked),
            "checked_in_part": list(self.reach.in_part),
            "checked": self.checked,
            "violations": [violation.as_json() for violation in self.violations],
            "accepted": [{**violation.as_json(), "evidence": evidence} for violation, evidence in self.accepted],
            "not_made": [gap.as_json() for gap in self.not_made],
        }
