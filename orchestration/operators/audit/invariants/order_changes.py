"""Reads which changes of placed orders are under way. A checkout whose order is being changed is not judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db.models import Q

from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.audit.invariants import repairs
from orchestration.participant.audit import BATCH


@dataclass(frozen=True)
class OrderChanges:
    """The checkout whose order each change is about, and the checkouts whose order a change may be altering now."""

    checkout_of: Mapping[UUID, UUID] = field(default_factory=dict)
    under_way: frozenset[UUID] = frozenset()


def read(checkout_of: Mapping[UUID, UUID], *, since: datetime) -> OrderChanges:
    """Return these changes. Those that had not ended by `since` are under way."""
    maybe_open = Q(ended_at=None) | Q(ended_at__gte=since - repairs.CLOCKS_AGREE_WITHIN)
    under_way: set[UUID] = set()
    remaining = iter(checkout_of)
    while batch := list(islice(remaining, BATCH)):
        found = SagaInstance.objects.using(ALIAS).filter(maybe_open, pk__in=batch)
        under_way.update(checkout_of[change_id] for change_id in found.values_list("pk", flat=True))
    return OrderChanges(checkout_of, frozenset(under_way))
