"""Compares the effect of each step with its ledger row (A4)."""

from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar
from uuid import UUID

from orchestration.contracts.audit import StepEffect
from orchestration.contracts.command import Action
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.invariants.ledgers import Remembered
from orchestration.participant.audit import AuditedRows
from orchestration.participant.ledger import Status

F = TypeVar("F")


def by_action(
    rows: AuditedRows[F], by_saga: Mapping[UUID, F], repaired: Collection[UUID]
) -> Iterator[tuple[Action, dict[UUID, StepEffect]]]:
    """Yield each action that writes these rows, and its effects by saga."""
    yield rows.action, {saga_id: rows.effect(facts) for saga_id, facts in by_saga.items()}
    for action, effect_of in rows.later_effects.items():
        found = ((saga_id, effect_of(facts, saga_id in repaired)) for saga_id, facts in by_saga.items())
        yield action, {saga_id: effect for saga_id, effect in found if effect is not None}


def check(
    step: str,
    rows: Mapping[UUID, Remembered],
    effects: Mapping[UUID, StepEffect],
    repaired: Collection[UUID],
    findings: Findings,
) -> None:
    """Check A4 inside one service: the ledger row and the effect agree, because one transaction wrote both.

    In a `repaired` saga, a repair may have reversed an effect that the ledger row does not record.
    """
    for saga_id in rows.keys() | effects.keys():
        findings.look_at("A4")
        row, effect = rows.get(saga_id), effects.get(saga_id, StepEffect.NONE)
        if effect not in _expected(row) and not (effect is StepEffect.REVERSED and saga_id in repaired):
            message = f"is {row.status}" if row else "does not exist"
            findings.violated("A4", f"{step} has {effect}, and its ledger row {message}.", saga=saga_id, step=step)


def _expected(row: Remembered | None) -> frozenset[StepEffect]:
    if row is None:
        return frozenset({StepEffect.NONE})
    match row.status, row.was_done:
        case (Status.DONE, _) | (Status.UNDOING, True):
            return frozenset({StepEffect.LIVE})
        case (Status.UNDONE, True):
            return frozenset({StepEffect.REVERSED})
        case (Status.UNDONE, False):
            return frozenset({StepEffect.NONE, StepEffect.REVERSED})
        case _:
            return frozenset({StepEffect.NONE})
