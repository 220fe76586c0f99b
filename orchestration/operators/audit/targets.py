"""What a run looks at by name: what open findings are about, and sagas that had not ended at the run before."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from orchestration.models import ALIAS
from orchestration.models.audit import AuditFinding
from orchestration.operators.audit.values import Again

LIMIT = 2_000
"""Findings that a run looks at again: first those that were not for longest."""

KEYS = ("key", "other_key", "made_under")
"""Under which names a finding has keys of gateway and carrier."""


@dataclass(frozen=True)
class Named:
    """What to look at, and the ids of the findings that are judged by it, or by the sums."""

    wanted: Again
    findings: frozenset[int]


def named(unfinished: Collection[UUID]) -> Named:
    """What open findings and these sagas ask for."""
    there = AuditFinding.objects.using(ALIAS).filter(gone_at=None).order_by("last_seen_at")
    found = list(there.values_list("pk", "saga_id", "ids")[:LIMIT])
    keys = {ids[name] for _, _, ids in found for name in KEYS if name in ids}
    saga_ids = {saga_id for _, saga_id, _ in found if saga_id}
    return Named(Again(frozenset({*saga_ids, *unfinished}), frozenset(keys)), frozenset(pk for pk, *_ in found))
