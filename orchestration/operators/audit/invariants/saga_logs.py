"""Saga logs (A5), as the orchestrator wrote them."""

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
"""Entries after which a compensation waits, so that others overtake it."""


class LogEntry(NamedTuple):
    sequence: int
    kind: str
    step: str
    phase: str
    token: int


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What one saga's log says: what is wrong with it, and in which order steps were undone."""

    faults: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()
    """Steps whose compensation once failed."""
    settled: frozenset[str] = frozenset()
    """Steps that a person has settled outside: what the books do not say of them is known."""


IN_ORDER = LogFacts()
EMPTY = LogFacts(faults=("The saga has no log.",))


def read(sagas: Mapping[UUID, SagaFacts], chosen: Selection = EVERYTHING) -> dict[UUID, LogFacts]:
    """These sagas' logs, read through once."""
    columns = ("saga_id", *LogEntry._fields)
    entries = SagaLogEntry.objects.using(ALIAS).filter(chosen.sagas()).order_by("saga_id", "sequence")
    rows = entries.values_list(*columns).iterator(BATCH)
    found = {
        saga_id: facts_of(sagas[saga_id], [LogEntry(*row[1:]) for row in group])
        for saga_id, group in groupby(rows, key=itemgetter(0))
    }
    return dict.fromkeys(sagas, EMPTY) | found


def facts_of(saga: SagaFacts, entries: list[LogEntry]) -> LogFacts:
    """What the entries of one saga, in order of their numbers, say."""
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
