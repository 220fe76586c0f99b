"""Checks the invariants against every database and the sandbox's own books, for tests and tools."""

from orchestration.operators.audit.check import EVERY_SAGA_HAS_ENDED, audit
from orchestration.operators.audit.findings import Findings, Violation
from orchestration.operators.audit.invariants.outcomes import Unfinished

__all__ = ("Findings", "Unfinished", "Violation", "audit", "violations")


def violations(allowed: Unfinished = EVERY_SAGA_HAS_ENDED) -> list[Violation]:
    """Return all violations. Call it outside any transaction.

    :raises CannotAudit: when a database cannot be reached or lacks a table.
    """
    return audit(allowed).violations
