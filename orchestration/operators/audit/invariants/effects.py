"""What a step has brought about, against what its ledger row says (A4)."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from uuid import UUID

from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.invariants.ledgers import Remembered
from orchestration.participant.ledger import Status


class Effect(StrEnum):
    NONE = "no effect"
    LIVE = "an effect"
    REVERSED = "an effect that was reversed"
    MIXED = "an effect that was partly reversed"


def check(
    step: str,
    rows: Mapping[UUID, Remembered],
    effects: Mapping[UUID, Effect],
    repaired: Collection[UUID],
    findings: Findings,
) -> None:
    """A4 inside one service: the ledger row and the effect were written together, so they tell the same.

    A repair may also have reversed an effect that the row of a `repaired` saga never knew of.
    """
    for saga_id in rows.keys() | effects.keys():
        findings.look_at("A4")
        row, effect = rows.get(saga_id), effects.get(saga_id, Effect.NONE)
        if effect not in _expected(row) and not (effect is Effect.REVERSED and saga_id in repaired):
            message = f"is {row.status}" if row else "does not exist"
            findings.violated("A4", f"{step} has {effect}, and its ledger row {message}.", saga=saga_id, step=step)


def _expected(row: Remembered | None) -> frozenset[Effect]:
    if row is None:
        return frozenset({Effect.NONE})
    match row.status, row.was_done:
        case (Status.DONE, _) | (Status.UNDOING, True):
            return frozenset({Effect.LIVE})
        case (Status.UNDONE, True):
            return frozenset({Effect.REVERSED})
        case (Status.UNDONE, False):
            return frozenset({Effect.NONE, Effect.REVERSED})
        case _:
            return frozenset({Effect.NONE})
