"""Audits sagas in portions, so that memory is bounded. Each function may raise `CannotAudit`."""

from datetime import datetime
from uuid import UUID

from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.audit import snapshot
from orchestration.operators.audit.check import check_all
from orchestration.operators.audit.findings import Findings, Violation
from orchestration.operators.audit.invariants import totals as sums
from orchestration.operators.audit.invariants.outcomes import Unfinished
from orchestration.operators.audit.snapshot import Books
from orchestration.operators.audit.values import Part, Portion, Recheck, Sighting
from orchestration.participant.selection import Between, Those

PORTION = 10_000
"""Number of sagas held in memory at a time, with all records that name them."""

AT_WORK = Unfinished(running=True)


def totals(*, at: datetime) -> Part:
    """Check the sums over all sagas."""
    findings = Findings()
    sums.check(at, findings)
    return Part([_sighting(each) for each in findings.violations], findings.checked, findings.not_made)


def portion(low: UUID | None, high: UUID | None) -> Portion:
    """Check `PORTION` sagas with ids from `low` to below `high` (None: no bound), and all records that name them."""
    findings = Findings()
    next_id = _id_after(low, high)
    books = snapshot.read(Between(low, next_id or high))
    check_all(books, AT_WORK, findings)
    part = part_of(findings, books)
    return Portion(part.sightings, part.checked, part.not_made, part.sagas, part.not_judged, next_id)


def recheck(wanted: Recheck) -> Part:
    """Check these sagas and keys, and all records that name them."""
    findings = Findings()
    books = snapshot.read(Those(wanted.saga_ids, wanted.keys))
    check_all(books, AT_WORK, findings)
    return part_of(findings, books)


def part_of(findings: Findings, books: Books) -> Part:
    """Return the findings in these books, each violation with the phase in which its saga has ended."""
    unfinished = frozenset(saga_id for saga_id in books.sagas if books.is_unfinished(saga_id))
    found = [_sighting(each, books) for each in findings.violations]
    return Part(found, findings.checked, findings.not_made, len(books.sagas), unfinished)


def _sighting(violation: Violation, books: Books | None = None) -> Sighting:
    saga_id = _uuid(violation.ids.get("saga", ""))
    ids = dict(violation.ids)
    if books is None or saga_id is None or not books.has_ended(saga_id):
        return Sighting(violation.invariant, violation.message, ids)
    settled = bool(books.logs[saga_id].settled)
    return Sighting(violation.invariant, violation.message, ids, books.sagas[saga_id].phase, settled)


def _id_after(low: UUID | None, high: UUID | None) -> UUID | None:
    """Return the first id after the portion that begins at `low`; None if the portion reaches `high`."""
    within = SagaInstance.objects.using(ALIAS).filter(Between(low, high).sagas("pk")).order_by("pk")
    return within.values_list("pk", flat=True)[PORTION : PORTION + 1].first()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
