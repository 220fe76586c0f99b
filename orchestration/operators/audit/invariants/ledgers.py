"""Reads the services' ledgers and checks their histories (A3)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import pairwise
from uuid import UUID

from orchestration.operators.audit.findings import Findings
from orchestration.participant.audit import BATCH
from orchestration.participant.ledger import LEGAL_NEXT, LedgerRow, Status
from orchestration.participant.selection import Selection

COMPENSATED = frozenset({Status.UNDONE, Status.BARRED})
REVERSING = frozenset({Status.UNDOING, *COMPENSATED})


@dataclass(frozen=True, slots=True)
class Remembered:
    """One ledger row; `changed_at` is None unless the row was compensated."""

    status: str
    history: tuple[str, ...]
    changed_at: datetime | None = None

    @property
    def was_done(self) -> bool:
        return Status.DONE in self.history

    @property
    def was_compensated(self) -> bool:
        """Whether its compensation has started."""
        return not REVERSING.isdisjoint(self.history)


Ledgers = Mapping[str, Mapping[UUID, Remembered]]
"""Rows by step, then by saga."""


def read(model: type[LedgerRow], alias: str, chosen: Selection) -> dict[str, dict[UUID, Remembered]]:
    """Return the ledger of one service: rows by step, then by saga."""
    columns = ("saga_id", "step", "status", "history", "changed_at")
    chosen_rows = model._default_manager.using(alias).filter(chosen.sagas())
    rows = chosen_rows.values_list(*columns)
    found: dict[str, dict[UUID, Remembered]] = defaultdict(dict)
    for saga_id, step, status, history, changed_at in rows.iterator(BATCH):
        shared = _without_time(status, tuple(history))
        timed = Remembered(status, shared.history, changed_at) if status in COMPENSATED else shared
        found[step][saga_id] = timed
    return dict(found)


@cache
def _without_time(status: str, history: tuple[str, ...]) -> Remembered:
    """Return one shared value for all equal rows, to save memory: most rows are equal."""
    return Remembered(status, history)


def check(ledgers: Ledgers, findings: Findings) -> None:
    """Check A3 for every row."""
    for step, rows in ledgers.items():
        findings.look_at("A3", len(rows))
        for saga_id, row in rows.items():
            for fault in _faults(row):
                findings.violated("A3", f"{step}: {fault}.", saga=saga_id, step=step)


def _faults(row: Remembered) -> Iterator[str]:
    for before, after in pairwise((None, *row.history)):
        if after not in LEGAL_NEXT.get(before, ()):
            yield f"the ledger row went from {before or 'nothing'} to {after}"
    if row.history[-1:] != (row.status,):
        yield f"the ledger row is {row.status}, its history {', '.join(row.history) or 'empty'}"
