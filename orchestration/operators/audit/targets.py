"""Selects what a run checks again: subjects of open findings, and sagas unfinished at the previous run."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from orchestration.models import ALIAS
from orchestration.models.audit import AuditFinding
from orchestration.operators.audit.values import Recheck

LIMIT = 2_000
"""Number of findings that a run checks again. Those checked longest ago come first."""

KEYS = ("key", "other_key", "made_under")
"""Names under which a finding's `ids` hold keys of gateway and carrier."""


@dataclass(frozen=True)
class Targets:
    """What to check again, and the ids of the findings that these checks and the sums decide."""

    wanted: Recheck
    findings: frozenset[int]


def targets_of(unfinished: Collection[UUID]) -> Targets:
    """Return what to check again, given the sagas unfinished at the previous run."""
    there = AuditFinding.objects.using(ALIAS).filter(gone_at=None).order_by("last_seen_at")
    found = list(there.values_list("pk", "saga_id", "ids")[:LIMIT])
    keys = {ids[name] for _, _, ids in found for name in KEYS if name in ids}
    saga_ids = {saga_id for _, saga_id, _ in found if saga_id}
    return Targets(Recheck(frozenset({*saga_ids, *unfinished}), frozenset(keys)), frozenset(pk for pk, *_ in found))
