"""Reads the rows of sagas."""

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from orchestration.contracts.order_changes import ChangeRequested
from orchestration.contracts.orders import CHECKOUTS
from orchestration.contracts.values import nfc
from orchestration.models import ALIAS, PurgedSaga, SagaInstance
from orchestration.participant.audit import BATCH
from orchestration.participant.selection import EVERYTHING, Selection
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import ENDED, Phase
from orchestration.sagas import definitions

CLOCKS_AGREE_WITHIN = timedelta(seconds=1)
"""Tolerance, because the purge takes its time from another clock."""

COLUMNS = (
    "id",
    "definition",
    "phase",
    "request__lines",
    "progress__skipped",
    "parked",
    "token",
    "log_length",
    "customer_id",
    "idempotency_key",
    "order_id",
    "request__total_minor",
    "request__credit_minor",
    "request__currency",
    "retry_of",
)


@dataclass(frozen=True, slots=True)
class SagaFacts:
    """One saga. `units` (by SKU in NFC) is empty, and `total_minor` None, unless it is a checkout."""

    id: UUID
    definition_name: str
    phase: Phase
    units: Mapping[str, int]
    skipped: frozenset[str]
    parked: bool
    token: int
    log_length: int
    customer_id: str
    idempotency_key: str
    order_id: UUID | None
    total_minor: int | None
    credit_minor: int | None
    currency: str | None
    retry_of: UUID | None
    """The saga whose work this one does again."""

    @property
    def has_ended(self) -> bool:
        return self.phase in ENDED

    @property
    def definition(self) -> Saga | None:
        """Its definition, if this code still has it."""
        return definitions.get(self.definition_name)

    @property
    def is_checkout(self) -> bool:
        return self.definition is not None and self.definition.request in CHECKOUTS

    @property
    def is_change(self) -> bool:
        """Whether it changes a placed order."""
        return self.definition is not None and self.definition.request is ChangeRequested


def read(chosen: Selection = EVERYTHING) -> dict[UUID, SagaFacts]:
    """Return the chosen sagas by id."""
    found = SagaInstance.objects.using(ALIAS).filter(chosen.sagas("pk"))
    return _by_id(found.values_list(*COLUMNS).iterator(BATCH))


def read_only(ids: Collection[UUID]) -> dict[UUID, SagaFacts]:
    """Return those of these sagas that exist, by id."""
    found: dict[UUID, SagaFacts] = {}
    remaining = iter(ids)
    while batch := list(islice(remaining, BATCH)):
        found |= _by_id(SagaInstance.objects.using(ALIAS).filter(pk__in=batch).values_list(*COLUMNS))
    return found


def read_purged(ids: Collection[UUID], *, since: datetime) -> frozenset[UUID]:
    """Return those of these sagas that were purged, and all sagas purged after `since`."""
    purged = PurgedSaga.objects.using(ALIAS)
    found = set(purged.filter(purged_at__gte=since - CLOCKS_AGREE_WITHIN).values_list("id", flat=True))
    remaining = iter(ids)
    while batch := list(islice(remaining, BATCH)):
        found.update(purged.filter(pk__in=batch).values_list("id", flat=True))
    return frozenset(found)


def _by_id(rows: Iterable[tuple[Any, ...]]) -> dict[UUID, SagaFacts]:
    return {row[0]: _facts(*row) for row in rows}


def _facts(
    saga_id: UUID, name: str, phase: str, lines: list[dict[str, Any]] | None, skipped: list[str] | None, *plain: Any
) -> SagaFacts:
    left_out = frozenset(map(sys.intern, skipped or ()))
    return SagaFacts(saga_id, sys.intern(name), Phase(phase), _units(lines), left_out, *plain)


def _units(lines: list[dict[str, Any]] | None) -> Mapping[str, int]:
    units: Counter[str] = Counter()
    for line in lines or ():
        units[sys.intern(nfc(line["sku"]))] += line["quantity"]
    return dict(units)
