"""Sagas of which a person has settled a step outside: what their books do not say is accepted, on that evidence."""

from collections.abc import Mapping
from uuid import UUID

from orchestration.models import ALIAS, OperatorLogEntry
from orchestration.models.actions import Action, Code
from orchestration.operators.audit.findings import Findings, Violation
from orchestration.participant.selection import EVERYTHING, Selection

MAY_DIFFER = frozenset({"A4", "Q2", "Q3", "Q4", "Q5"})
"""What speaks of a step's effect, or of money; a ledger's history and a saga's log have nothing to do with it."""

Evidence = Mapping[UUID, str]
"""Who says so, and what shows it, by saga."""


def read(chosen: Selection = EVERYTHING) -> dict[UUID, str]:
    """Every saga that was settled so, with the evidence for it: from the operator log, which outlasts sagas."""
    entries = OperatorLogEntry.objects.using(ALIAS).filter(chosen.sagas(), action=Action.SETTLE, code=Code.TAKEN)
    found: dict[UUID, str] = {}
    for saga_id, step, by, evidence in entries.order_by("pk").values_list("saga_id", "step", "by", "evidence"):
        said = f"{step} was settled outside, says {by}: {evidence}"
        found[saga_id] = f"{found[saga_id]}; {said}" if saga_id in found else said
    return found


def accept(settled: Evidence, findings: Findings) -> None:
    """Take what is violated of these sagas, because of it, from the violations; it is listed apart."""
    violations, findings.violations = findings.violations, []
    for violation in violations:
        evidence = settled.get(_saga_of(violation)) if violation.invariant in MAY_DIFFER else None
        if evidence is None:
            findings.violations.append(violation)
        else:
            findings.accepted.append((violation, evidence))


def _saga_of(violation: Violation) -> UUID:
    """The saga it is about; keys at gateway and carrier begin with it, too."""
    message = violation.ids.get("saga") or violation.ids.get("key", "").partition(":")[0]
    try:
        return UUID(message)
    except ValueError:
        return UUID(int=0)
