"""Rows of findings: created for new sightings, updated for repeated ones, closed for those that are gone."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from orchestration.models import ALIAS, SagaInstance
from orchestration.models.audit import AuditFinding, AuditRun
from orchestration.operators.audit.proposals import advice, propose
from orchestration.operators.audit.values import Gap, Sighting, gap_of, reach_of

_NUMBER = re.compile(r"\b\d+(?:[.,]\d+)*\b")
AT_A_TIME = 500
"""Number of findings that one statement selects."""


def fingerprint(sighting: Sighting) -> str:
    """Return a digest that identifies the violation. Numbers in its message do not count, because they may change."""
    message = _NUMBER.sub("#", sighting.message)
    identity = json.dumps([sighting.invariant, message, sorted(sighting.ids.items())])
    return hashlib.sha256(identity.encode()).hexdigest()


def store_sightings(run: AuditRun, sightings: Sequence[Sighting], *, now: datetime) -> None:
    """Store the run's sightings as findings.

    If the records may have been changing while they were read, the finding is a suspicion. It opens when the next run
    sees it, too.
    """
    beside: defaultdict[str, list[Sighting]] = defaultdict(list)
    for each in sightings:
        beside[_subject(each)].append(each)
    seen = list({fingerprint(each): each for each in sightings}.items())
    for start in range(0, len(seen), AT_A_TIME):
        _take_some(run, dict(seen[start : start + AT_A_TIME]), beside, now)


def close(run: AuditRun, looked_for: Collection[int], not_judged: Collection[UUID], *, now: datetime) -> int:
    """Close the findings that the run looked for and did not see, and return how many. Delete those never opened.

    A finding stays open if the check that found it may be one that this run could not make.
    """
    missed = _there().filter(pk__in=looked_for).exclude(last_run=run).exclude(saga_id__in=not_judged)
    missed = missed.exclude(pk__in=_not_looked_for(run, missed))
    missed.filter(opened_at=None).delete()
    missed.filter(applied_at__isnull=False).update(outcome=AuditFinding.Outcome.GONE)
    return missed.update(gone_at=now, gone_run=run)


def _not_looked_for(run: AuditRun, missed: QuerySet[AuditFinding]) -> set[int]:
    """Return the findings whose check this run may not have made.

    These are of an invariant that the run could not check, or of one with a gap that was not there in the last run that
    saw them. A finding that was seen despite the same gap was found by another check.
    """
    concerned = {invariant for gap in map(gap_of, run.not_made) for invariant in gap.invariants}
    unchecked = reach_of(run.checked, map(gap_of, run.not_made)).not_checked
    rows = missed.filter(invariant__in=concerned).values_list("pk", "invariant", "last_run__not_made")
    return {pk for pk, each, before in rows if each in unchecked or each in _lost(run.not_made, before or ())}


def _lost(gaps: Collection[Any], before: Collection[Any]) -> set[str]:
    """Return the invariants of those gaps that were not there before."""
    known = set(map(_alike, before))
    return {invariant for each in gaps if _alike(each) not in known for invariant in gap_of(each).invariants}


def _alike(written: Any) -> Gap:
    """Return the gap without numbers, which may change from run to run."""
    gap = gap_of(written)
    return replace(gap, why=_NUMBER.sub("#", gap.why))


_SEEN_AGAIN = ["message", "last_seen_at", "last_run", "opened_at", "repair", "repair_parameters", "advice", "outcome"]


def _there() -> QuerySet[AuditFinding]:
    return AuditFinding.objects.using(ALIAS).filter(gone_at=None)


def _take_some(run: AuditRun, some: dict[str, Sighting], beside: dict[str, list[Sighting]], now: datetime) -> None:
    """Store some sightings. Lock the findings in the order that `apply` uses, so that no decision is overwritten."""
    with transaction.atomic(using=ALIAS):
        there = _there().filter(fingerprint__in=some).order_by("pk").select_for_update()
        known = {each.fingerprint: each for each in there}
        _write_new(run, {mark: each for mark, each in some.items() if mark not in known}, beside, now)
        for mark, finding in known.items():
            _see_again(run, finding, some[mark], beside[_subject(some[mark])], now)
        AuditFinding.objects.using(ALIAS).bulk_update(known.values(), _SEEN_AGAIN)


def _subject(sighting: Sighting) -> str:
    """Return the saga or SKU of the sighting. Sightings of the same subject are judged together."""
    return sighting.ids.get("saga") or sighting.ids.get("sku") or ""


def _write_new(run: AuditRun, sightings: dict[str, Sighting], beside: dict[str, list[Sighting]], now: datetime) -> None:
    rows = []
    for mark, each in sightings.items():
        row = AuditFinding(fingerprint=mark, invariant=each.invariant, ids=dict(each.ids), saga_id=_saga_of(each))
        row.first_seen_at = now
        _fill(run, row, each, beside[_subject(each)], now)
        row.opened_at = now if each.is_settled else None
        rows.append(row)
    AuditFinding.objects.using(ALIAS).bulk_create(rows, ignore_conflicts=True)


def _see_again(
    run: AuditRun, finding: AuditFinding, sighting: Sighting, beside: Sequence[Sighting], now: datetime
) -> None:
    if finding.opened_at is None and (sighting.is_settled or finding.last_run_id != run.pk):
        finding.opened_at = now
    if finding.repair_saga_id and not finding.outcome and _had_ended(finding.repair_saga_id, run):
        finding.outcome = AuditFinding.Outcome.STILL_THERE
    _fill(run, finding, sighting, beside, now)


def _fill(run: AuditRun, row: AuditFinding, sighting: Sighting, beside: Sequence[Sighting], now: datetime) -> None:
    repair = propose(sighting, beside)
    row.message, row.last_seen_at, row.last_run = sighting.message, now, run
    row.advice = advice(sighting, repair)
    row.repair, row.repair_parameters = (repair.kind, dict(repair.parameters)) if repair else ("", {})


def _had_ended(saga_id: UUID, run: AuditRun) -> bool:
    """Return whether the repair had ended before the run started."""
    ended = Q(pk=saga_id, ended_at__lt=run.started_at)
    return SagaInstance.objects.using(ALIAS).filter(ended).exists()


def _saga_of(sighting: Sighting) -> UUID | None:
    try:
        return UUID(sighting.ids["saga"])
    except (KeyError, ValueError):
        return None
