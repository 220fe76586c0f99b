"""Sightings written down as findings: new ones, those seen again, and those that are gone."""

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
"""Findings that one statement looks for."""


def fingerprint(sighting: Sighting) -> str:
    """The same for what is the same violation: amounts in its message grow and shrink while it lasts."""
    message = _NUMBER.sub("#", sighting.message)
    told = json.dumps([sighting.invariant, message, sorted(sighting.ids.items())])
    return hashlib.sha256(told.encode()).hexdigest()


def take_down(run: AuditRun, sightings: Sequence[Sighting], *, now: datetime) -> None:
    """Write down what the run has seen.

    What may have been changing while it was read is a suspicion, and opened when the next run sees it, too.
    """
    beside: defaultdict[str, list[Sighting]] = defaultdict(list)
    for each in sightings:
        beside[_subject(each)].append(each)
    seen = list({fingerprint(each): each for each in sightings}.items())
    for start in range(0, len(seen), AT_A_TIME):
        _take_some(run, dict(seen[start : start + AT_A_TIME]), beside, now)


def close(run: AuditRun, looked_for: Collection[int], not_judged: Collection[UUID], *, now: datetime) -> int:
    """End those findings that the run looked for and did not see; return how many. A suspicion leaves no trace.

    A finding stays open when the check that found it may be one that this run could not make.
    """
    missed = _there().filter(pk__in=looked_for).exclude(last_run=run).exclude(saga_id__in=not_judged)
    missed = missed.exclude(pk__in=_not_looked_for(run, missed))
    missed.filter(opened_at=None).delete()
    missed.filter(applied_at__isnull=False).update(outcome=AuditFinding.Outcome.GONE)
    return missed.update(gone_at=now, gone_run=run)


def _not_looked_for(run: AuditRun, missed: QuerySet[AuditFinding]) -> set[int]:
    """Those of an invariant that the run could not check, or with a gap that the last run that saw them did not have.

    What was seen despite a gap was not found by the check that the gap is about.
    """
    concerned = {invariant for gap in map(gap_of, run.not_made) for invariant in gap.invariants}
    unchecked = reach_of(run.checked, map(gap_of, run.not_made)).not_checked
    rows = missed.filter(invariant__in=concerned).values_list("pk", "invariant", "last_run__not_made")
    return {pk for pk, each, before in rows if each in unchecked or each in _lost(run.not_made, before or ())}


def _lost(gaps: Collection[Any], before: Collection[Any]) -> set[str]:
    """The invariants of those gaps that were not there before."""
    known = set(map(_alike, before))
    return {invariant for each in gaps if _alike(each) not in known for invariant in gap_of(each).invariants}


def _alike(written: Any) -> Gap:
    """A gap as it is while it lasts, though its numbers change."""
    gap = gap_of(written)
    return replace(gap, why=_NUMBER.sub("#", gap.why))


_SEEN_AGAIN = ["message", "last_seen_at", "last_run", "opened_at", "repair", "repair_parameters", "advice", "outcome"]


def _there() -> QuerySet[AuditFinding]:
    return AuditFinding.objects.using(ALIAS).filter(gone_at=None)


def _take_some(run: AuditRun, some: dict[str, Sighting], beside: dict[str, list[Sighting]], now: datetime) -> None:
    """The findings are locked, in the order in which a person's word locks them: it must not be written over."""
    with transaction.atomic(using=ALIAS):
        there = _there().filter(fingerprint__in=some).order_by("pk").select_for_update()
        known = {each.fingerprint: each for each in there}
        _write_new(run, {mark: each for mark, each in some.items() if mark not in known}, beside, now)
        for mark, finding in known.items():
            _see_again(run, finding, some[mark], beside[_subject(some[mark])], now)
        AuditFinding.objects.using(ALIAS).bulk_update(known.values(), _SEEN_AGAIN)


def _subject(sighting: Sighting) -> str:
    """Sightings with the same are told together."""
    return sighting.ids.get("saga") or sighting.ids.get("sku") or ""


def _write_new(run: AuditRun, sightings: dict[str, Sighting], beside: dict[str, list[Sighting]], now: datetime) -> None:
    rows = []
    for mark, each in sightings.items():
        row = AuditFinding(fingerprint=mark, invariant=each.invariant, ids=dict(each.ids), saga_id=_saga_of(each))
        row.first_seen_at = now
        _tell(run, row, each, beside[_subject(each)], now)
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
    _tell(run, finding, sighting, beside, now)


def _tell(run: AuditRun, row: AuditFinding, sighting: Sighting, beside: Sequence[Sighting], now: datetime) -> None:
    repair = propose(sighting, beside)
    row.message, row.last_seen_at, row.last_run = sighting.message, now, run
    row.advice = advice(sighting, repair)
    row.repair, row.repair_parameters = (repair.kind, dict(repair.parameters)) if repair else ("", {})


def _had_ended(saga_id: UUID, run: AuditRun) -> bool:
    """Whether the run looked only after the repair was over."""
    ended = Q(pk=saga_id, ended_at__lt=run.started_at)
    return SagaInstance.objects.using(ALIAS).filter(ended).exists()


def _saga_of(sighting: Sighting) -> UUID | None:
    try:
        return UUID(sighting.ids["saga"])
    except (KeyError, ValueError):
        return None
