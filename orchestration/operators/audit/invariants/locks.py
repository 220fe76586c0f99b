"""Checks the locks that sagas hold and wait for (L1 to L6)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.db import connections
from django.db.models import Model, QuerySet

from orchestration.contracts.command import Action
from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.read_only import snapshot
from orchestration.participant.ledger import Status
from orchestration.participant.lock_tables import HoldRow, LockTables, TurnRow
from orchestration.participant.participant import participant_of, participants
from orchestration.protocol.states import ENDED, Phase

M = TypeVar("M", bound=Model)

_STATUS = ("saga_id", "step", "status")
HOLDING = frozenset({Status.WAITING, Status.DONE, Status.UNDOING})
"""The statuses of a ledger row whose saga may hold the lock. With *waiting*, the lock was handed over a moment ago."""


@dataclass(frozen=True)
class LocksRead:
    """The locks of one service, and the ledger statuses of their steps, as one snapshot shows them."""

    holds: Sequence[HoldRow]
    turns: Sequence[TurnRow]
    statuses: Mapping[tuple[UUID, str], str]
    """By saga and step."""
    ended: Mapping[UUID, str]
    """The phase of each saga that had ended before the snapshot was taken."""
    unknown: Collection[UUID]
    """Sagas that do not exist."""


def check(findings: Findings) -> None:
    """Check L1 to L6 for every lock of every service.

    :raises CannotAudit: when a database cannot be reached or lacks a table.
    """
    with snapshot(ALIAS):
        _check_waits(findings)
    tables = {name: each.locks for name, each in participants().items() if each.locks and each.kept_in is None}
    for service, each in tables.items():
        if each.hold and each.turn:
            _check_locks(_read(service, each.hold, each.turn), findings)
    _check_fences(tables, findings)


def _check_waits(findings: Findings) -> None:
    waiting = SagaInstance.objects.using(ALIAS).filter(waits_for__isnull=False)
    for saga_id, phase, resource in waiting.values_list("id", "phase", "waits_on"):
        findings.look_at("L5")
        if phase != Phase.RUNNING:
            findings.violated("L5", f"The saga is {phase} and waits for {resource}.", saga=saga_id, resource=resource)


def _read(service: str, hold: type[HoldRow], turn: type[TurnRow]) -> LocksRead:
    """Read which of the sagas have ended, and then their locks: a saga that ends meanwhile is no violation."""
    with snapshot(service):
        sagas = _sagas_of(_all(hold, service), _all(turn, service))
    with snapshot(ALIAS):
        phases = dict(SagaInstance.objects.using(ALIAS).filter(pk__in=sagas).values_list("pk", "phase"))
    ended = {saga_id: phase for saga_id, phase in phases.items() if phase in ENDED}
    with snapshot(service):
        holds, turns = list(_all(hold, service)), list(_all(turn, service))
        ledger = _all(participant_of(service).ledger, service).filter(saga_id__in=_sagas_of(holds, turns))
        statuses = {(saga_id, step): status for saga_id, step, status in ledger.values_list(*_STATUS)}
    return LocksRead(holds, turns, statuses, ended, sagas - phases.keys())


def _check_locks(read: LocksRead, findings: Findings) -> None:
    held = {each.resource: each for each in read.holds}
    rows: list[HoldRow | TurnRow] = [*read.holds, *read.turns]
    for row in rows:
        findings.look_at("L2")
        if row.saga_id in read.ended:
            _violated("L2", row, f"The saga is {read.ended[row.saga_id]}, and {_has(row)}.", findings)
        elif row.saga_id in read.unknown:
            _violated("L2", row, f"There is no such saga, and it {_has(row)}.", findings)
    for hold in read.holds:
        findings.look_at("L1")
        if (status := read.statuses.get((hold.saga_id, hold.step), "missing")) not in HOLDING:
            _violated("L1", hold, f"Step {hold.step} holds the lock, and its ledger row is {status}.", findings)
    for turn in read.turns:
        for invariant, fault in _faults_of_turn(turn, held.get(turn.resource), read):
            _violated(invariant, turn, fault, findings)
        findings.look_at("L3")
        findings.look_at("L4")


def _faults_of_turn(turn: TurnRow, hold: HoldRow | None, read: LocksRead) -> Iterator[tuple[str, str]]:
    if hold is None:
        yield "L3", "The saga waits for a lock that no saga holds."
    elif hold.turn is not None and hold.turn > turn.id:
        yield "L4", f"The saga has waited longer than saga {hold.saga_id}, which was served first."
    if (status := read.statuses.get((turn.saga_id, turn.step), "missing")) != Status.WAITING:
        yield "L4", f"Step {turn.step} has a turn, and its ledger row is {status}."


def _sagas_of(holds: Iterable[HoldRow], turns: Iterable[TurnRow]) -> set[UUID]:
    return {hold.saga_id for hold in holds} | {turn.saga_id for turn in turns}


def _has(row: HoldRow | TurnRow) -> str:
    return f"{'holds' if isinstance(row, HoldRow) else 'waits for'} {row.resource}"


def _violated(invariant: str, row: HoldRow | TurnRow, fault: str, findings: Findings) -> None:
    findings.violated(invariant, fault, saga=row.saga_id, resource=row.resource)


def _check_fences(tables: Mapping[str, LockTables], findings: Findings) -> None:
    """Check the guards of each service against the fences that were given. The guards are read first."""
    used: dict[str, list[tuple[str, int]]] = {}
    for service, each in tables.items():
        with snapshot(service):
            used[service] = list(_all(each.guard, service).values_list("resource", "fence"))
    givers = _givers()
    highest = {service: _highest(each, service) for service, each in tables.items() if service in givers.values()}
    for service, guards in used.items():
        for resource, fence in guards:
            findings.look_at("L6")
            giver = givers.get(resource.partition(":")[0])
            if giver is None or fence > highest[giver]:
                message = f"The guard of {service} is at fence {fence}, which was never given."
                findings.violated("L6", message, resource=resource)


def _givers() -> dict[str, str]:
    """Return which service gives the fences of each lock, by the lock's name."""
    actions = [each for participant in participants().values() for each in participant.commands]
    return {each.holds.name: each.service for each in actions if isinstance(each, Action) and each.holds}


def _highest(tables: LockTables, service: str) -> int:
    with snapshot(service), connections[service].cursor() as cursor:
        cursor.execute(f"SELECT last_value FROM {tables.fences}")
        return int(cursor.fetchone()[0])


def _all(model: type[M], alias: str) -> QuerySet[M]:
    return model._default_manager.using(alias)
