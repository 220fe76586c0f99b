"""Reads and checks the saga logs (A5)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from orchestration.models import ALIAS, SagaLogEntry
from orchestration.operators.audit.invariants.sagas import SagaFacts
from orchestration.participant.audit import BATCH
from orchestration.participant.selection import EVERYTHING, Selection
from orchestration.protocol.states import Kind, Phase

_ALL = frozenset(Phase)
MAY_FOLLOW: Mapping[str, frozenset[Phase]] = {
    Phase.RUNNING: _ALL,
    Phase.BARRING: _ALL - {Phase.RUNNING},
    Phase.COMPENSATING: frozenset({Phase.COMPENSATING, Phase.COMPENSATED}),
    Phase.FINISHING: frozenset({Phase.FINISHING, Phase.COMPLETED}),
    Phase.COMPENSATED: frozenset({Phase.COMPENSATED}),
    Phase.COMPLETED: frozenset({Phase.COMPLETED}),
}
"""The phases that an entry may have after an entry of this phase."""

ENDS = frozenset({Kind.COMPLETED, Kind.COMPENSATED})
HOLDS = frozenset({Kind.FAILED, Kind.WAITING, Kind.PARKED})
"""Kinds of entries after which a compensation waits, so that other steps may be compensated before it."""


class LogEntry(NamedTuple):
    sequence: int
    kind: str
    step: str
    phase: str
    token: int


@dataclass(frozen=True, slots=True)
class LogFacts:
    """The facts of one saga's log: its faults, and the steps undone, in order."""

    faults: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()
    """Steps whose compensation had to wait: it failed, waited or was parked."""
    settled: frozenset[str] = frozenset()
    """Steps that an operator settled externally, so that the books may lack them."""


IN_ORDER = LogFacts()
EMPTY = LogFacts(faults=("The saga has no log.",))


def read(sagas: Mapping[UUID, SagaFacts], chosen: Selection = EVERYTHING) -> dict[UUID, LogFacts]:
    """Return the facts of these sagas' logs. The log table is read in one pass."""
    columns = ("saga_id", *LogEntry._fields)
    entries = SagaLogEntry.objects.using(ALIAS).filter(chosen.sagas()).order_by("saga_id", "sequence")
    rows = entries.values_list(*columns).iterator(BATCH)
    found = {
        saga_id: facts_of(sagas[saga_id], [LogEntry(*row[1:]) for row in group])
        for saga_id, group in groupby(rows, key=itemgetter(0))
    }
    return dict.fromkeys(sagas, EMPTY) | found


def facts_of(saga: SagaFacts, entries: list[LogEntry]) -> LogFacts:
    """Return the facts of one saga's entries, which are in the order of their numbers."""
    facts = LogFacts(
        faults=tuple(_faults(saga, entries)),
        undone=tuple(entry.step for entry in entries if entry.kind == Kind.UNDONE),
        held=frozenset(e.step for e in entries if e.kind in HOLDS and e.phase == Phase.COMPENSATING),
        settled=frozenset(entry.step for entry in entries if entry.kind == Kind.SETTLED),
    )
    return IN_ORDER if facts == IN_ORDER else facts


def _faults(saga: SagaFacts, entries: list[LogEntry]) -> Iterator[str]:
    if [entry.sequence for entry in entries] != list(range(1, saga.log_length + 1)):
        yield f"The log is not numbered 1 to {saga.log_length} without a gap."
    if [entry.sequence for entry in entries if entry.kind == Kind.STARTED] != [1]:
        yield "The log does not begin with its only start."
    for before, after in pairwise(entries):
        if after.phase not in MAY_FOLLOW[before.phase]:
            yield f"Entry {after.sequence} goes from phase {before.phase} to {after.phase}."
        if after.token < before.token:
            yield f"Entry {after.sequence} goes back from token {before.token} to {after.token}."
        if before.kind in ENDS:
            yield f"Entry {after.sequence} follows the end."
    last = entries[-1]
    if (last.phase, last.token) != (saga.phase, saga.token):
        yield f"The log ends {last.phase} at token {last.token}, the saga is {saga.phase} at {saga.token}."
    if saga.has_ended and last.kind != saga.phase:
        yield f"The saga is {saga.phase} and its log does not end so."
    if last.kind in ENDS and not saga.has_ended:
        yield f"The log has ended and the saga is {saga.phase}."
