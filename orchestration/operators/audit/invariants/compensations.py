"""Checks that sagas were compensated only before the pivot, completely, and in reverse order (A6)."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import pairwise

from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.invariants.ledgers import COMPENSATED, Remembered
from orchestration.operators.audit.invariants.saga_logs import LogFacts
from orchestration.operators.audit.invariants.sagas import SagaFacts
from orchestration.operators.audit.snapshot import Books
from orchestration.participant.ledger import Status
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Phase

CLOCKS_AGREE_WITHIN = timedelta(seconds=1)
"""Tolerance, because each service's database has its own clock."""

SETTLED = COMPENSATED | {Status.REFUSED}
"""The status of every step before the pivot when its saga is compensated is one of these."""

Rows = Mapping[str, Remembered]


def check(books: Books, findings: Findings) -> None:
    """Check A6 for every saga whose definition this code still has."""
    for saga in books.sagas.values():
        if (definition := saga.definition) is None:
            continue
        findings.look_at("A6")
        found = {step.name: books.services.row(step.name, saga.id) for step in definition.steps}
        rows = {step: row for step, row in found.items() if row is not None}
        for fault in _faults(saga, definition, rows):
            findings.violated("A6", fault, saga=saga.id)
        if saga.phase is Phase.COMPENSATED:
            for step, fault in _unsettled(definition, rows, saga.skipped):
                findings.violated("A6", fault, saga=saga.id, step=step)
        if saga.id not in books.repairs.repaired:  # a repair may compensate a step at any time
            for fault in _faults_of_order(definition, rows, books.logs[saga.id]):
                findings.violated("A6", fault, saga=saga.id)


def _faults(saga: SagaFacts, definition: Saga, rows: Rows) -> Iterator[str]:
    pivot = rows.get(definition.pivot.name)
    if pivot is not None and pivot.status == Status.DONE:
        yield from _faults_after_pivot(definition, rows)
    if saga.phase is Phase.COMPENSATED:
        yield from _faults_of_compensated(definition, rows)


def _faults_after_pivot(definition: Saga, rows: Rows) -> Iterator[str]:
    for step in definition.compensable:
        row = rows.get(step.name)
        if row is not None and row.was_compensated:
            yield f"{step.name} is {row.status} although {definition.pivot.name} is done."


def _unsettled(definition: Saga, rows: Rows, skipped: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield each step whose status is not one that compensation leaves, with a sentence about it."""
    for step in definition.compensable:
        status = rows[step.name].status if step.name in rows else "not even barred"
        if status not in SETTLED and (step.name in rows or step.name not in skipped):
            yield step.name, f"{step.name} is {status} although the saga is compensated."


def _faults_of_compensated(definition: Saga, rows: Rows) -> Iterator[str]:
    pivot = rows.get(definition.pivot.name)
    refused = any(row.status == Status.REFUSED for row in rows.values())
    if not refused and (pivot is None or pivot.status != Status.BARRED):
        yield f"The saga is compensated, nothing refused and {definition.pivot.name} not barred."


def _faults_of_order(definition: Saga, rows: Rows, log: LogFacts) -> Iterator[str]:
    """Check the order of compensations: exactly by the log, and by the ledgers' clocks, which may differ.

    A step whose compensation failed once may come late and is left out."""
    backwards = [step.name for step in reversed(definition.compensable) if step.name not in log.held]
    undone = [step for step in log.undone if step in backwards]
    if undone != [step for step in backwards if step in undone]:
        yield f"Steps were compensated in the order {', '.join(undone)}."
    for before, after in pairwise(step for step in backwards if step in rows and rows[step].changed_at):
        earliest, actual = rows[before].changed_at, rows[after].changed_at
        if earliest and actual and actual < earliest - CLOCKS_AGREE_WITHIN:
            yield f"{after} was compensated at {actual}, before {before} at {earliest}."
