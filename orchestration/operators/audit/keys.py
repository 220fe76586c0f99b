"""The idempotency keys of calls to gateway and carrier: (saga, step, operation)."""

from dataclasses import dataclass
from uuid import UUID

from orchestration.protocol.states import Operation

STARTED_WITH = {Operation.ACTION: "started", Operation.COMPENSATION: "undoing"}
"""The ledger status that is committed before the call under a key, by operation."""


@dataclass(frozen=True, slots=True)
class Key:
    saga_id: UUID
    step: str
    operation: Operation


def parse(text: str) -> Key | None:
    """Return the key; None if it is not one of ours."""
    try:
        saga_id, step, operation = text.split(":")
        return Key(UUID(saga_id), step, Operation(operation))
    except ValueError:
        return None


def saga_of(text: str) -> UUID | None:
    """Return the saga that the key belongs to; None if it is not one of ours."""
    key = parse(text)
    return key.saga_id if key else None
