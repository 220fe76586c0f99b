"""Checks every invariant against the records of all services and external systems."""

from collections import Counter
from collections.abc import Collection
from itertools import chain
from uuid import UUID

from orchestration.operators.audit import snapshot
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.invariants import (
    changes,
    compensations,
    effects,
    ledgers,
    locks,
    money,
    orphans,
    outcomes,
    owners,
    settled,
)
from orchestration.operators.audit.invariants.outcomes import Unfinished
from orchestration.operators.audit.snapshot import Books, BooksRead, RowsRead, ServiceBooks

EVERY_SAGA_HAS_ENDED = Unfinished()


def audit(allowed: Unfinished = EVERY_SAGA_HAS_ENDED) -> Findings:
    """Read all books and check every invariant. Those that hold only at rest are checked for ended sagas only.

    :raises CannotAudit: when a database cannot be reached or lacks a table.
    """
    findings = Findings()
    check_all(snapshot.read(), allowed, findings)
    locks.check(findings)
    findings.violations.sort(key=lambda violation: violation.invariant)
    return findings


def check_all(books: Books, allowed: Unfinished, findings: Findings) -> None:
    """Check every invariant against these books and add the results to `findings`."""
    findings.take(books.services.checked)
    ledgers.check(books.services.ledgers, findings)
    for rows in books.services.rows:
        _check_rows(rows, books.services, books.repairs.repaired, findings)
    _check_sagas(books, findings)
    outcomes.check_ends(books, allowed, findings)
    outcomes.check(books, findings)
    changes.check(books, findings)
    money.check_totals(books, findings)
    orphans.check_rows(books, findings)
    if books.accounts is not None:
        money.check_gateway(books, books.accounts, findings)
    for read in books.outside:
        _check_outside(read, books, findings)
    findings.leave_out(books.purged)
    settled.accept(books.settled, findings)


def _check_rows(read: RowsRead, services: ServiceBooks, repaired: Collection[UUID], findings: Findings) -> None:
    if read.of.check:
        findings.take(read.of.check(read.by_saga))
    for action, of_action in effects.by_action(read.of, read.by_saga, repaired):
        effects.check(action.step, services.ledgers.get(action.step, {}), of_action, repaired, findings)


def _check_sagas(books: Books, findings: Findings) -> None:
    for saga_id, log in books.logs.items():
        findings.look_at("A5")
        for fault in log.faults:
            findings.violated("A5", fault, saga=saga_id)
    compensations.check(books, findings)
    owners.check(books, findings)
    gone = Counter(saga.definition_name for saga in books.sagas.values() if saga.definition is None)
    for name, count in sorted(gone.items()):
        findings.cannot_check("A6 Q2 Q3", f"of {count} sagas: this code has no definition {name}")


def _check_outside(read: BooksRead, books: Books, findings: Findings) -> None:
    who = read.of.name
    if read.by_saga is None:
        findings.cannot_check(read.of.needed_for, f"at the {who}: it is not the sandbox, whose books can be read")
        return
    findings.take(read.of.check(list(chain.from_iterable(read.by_saga.values()))))
    orphans.check_keys(who, read.by_saga.items(), books, findings)
