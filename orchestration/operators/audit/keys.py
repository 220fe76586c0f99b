"""The idempotency keys that gateway and carrier are called with: (saga, step, operation)."""

from dataclasses import dataclass
from uuid import UUID

from orchestration.protocol.states import Operation

STARTED_WITH = {Operation.ACTION: "started", Operation.COMPENSATION: "undoing"}
"""The ledger status that is committed before a call under such a key is made."""


@dataclass(frozen=True, slots=True)
class Key:
    saga_id: UUID
    step: str
    operation: Operation


def parse(text: str) -> Key | None:
    """The key, or None when it is not one of ours."""
    try:
        saga_id, step, operation = text.split(":")
        return Key(UUID(saga_id), step, Operation(operation))
    except ValueError:
        return None


def saga_of(text: str) -> UUID | None:
    """The saga that a key belongs to, or None when it is not one of ours."""
    key = parse(text)
    return key.saga_id if key else None
