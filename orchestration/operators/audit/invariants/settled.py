"""Accepts violations of sagas of which an operator settled a step externally, with the operator's evidence."""

from collections.abc import Mapping
from uuid import UUID

from orchestration.models import ALIAS, OperatorLogEntry
from orchestration.models.actions import Code, OperatorAction
from orchestration.operators.audit.findings import Findings, Violation
from orchestration.participant.selection import EVERYTHING, Selection, Those

MAY_DIFFER = frozenset({"A4", "Q2", "Q3", "Q4", "Q5"})
"""Invariants about a step's effect or about money. Ledger histories and saga logs must hold in any case."""

Evidence = Mapping[UUID, str]
"""By saga: which operator settled which step, and the evidence."""


def read(chosen: Selection = EVERYTHING) -> dict[UUID, str]:
    """Return the evidence of every settled saga. It is read from the operator log, which is kept longer than sagas."""
    entries = OperatorLogEntry.objects.using(ALIAS).filter(
        chosen.sagas(), action=OperatorAction.SETTLE, code=Code.TAKEN
    )
    found: dict[UUID, str] = {}
    for saga_id, step, by, evidence in entries.order_by("pk").values_list("saga_id", "step", "by", "evidence"):
        said = f"{step} was settled outside, says {by}: {evidence}"
        found[saga_id] = f"{found[saga_id]}; {said}" if saga_id in found else said
    return found


def read_of_changes(checkout_of: Mapping[UUID, UUID]) -> dict[UUID, str]:
    """Return the evidence of settled changes, each for the checkout whose order it changes."""
    found = read(Those(frozenset(checkout_of))) if checkout_of else {}
    return {checkout_of[change_id]: said for change_id, said in found.items()}


def accept(settled: Evidence, findings: Findings) -> None:
    """Move the violations that a settlement explains from `violations` to `accepted`."""
    violations, findings.violations = findings.violations, []
    for violation in violations:
        evidence = settled.get(_saga_of(violation)) if violation.invariant in MAY_DIFFER else None
        if evidence is None:
            findings.violations.append(violation)
        else:
            findings.accepted.append((violation, evidence))


def _saga_of(violation: Violation) -> UUID:
    """Return the saga that the violation is about, also if only an idempotency key names it."""
    message = violation.ids.get("saga") or violation.ids.get("key", "").partition(":")[0]
    try:
        return UUID(message)
    except ValueError:
        return UUID(int=0)
