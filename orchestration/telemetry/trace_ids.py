"""Ids of traces and spans, computed from a saga's row, so that they are neither stored nor sent. Pure."""

from hashlib import blake2b
from uuid import UUID

_RANDOM_BITS = 32
"""The last bits of a UUIDv7 are random. Those before may be the time, the version or a counter (RFC 9562, 6.2)."""


def trace_id_of(saga_id: UUID) -> int:
    """Return the trace id: the saga's own id. Written without dashes, each can be used to find the other."""
    return saga_id.int


def whole_id(saga_id: UUID) -> int:
    """Return the id of the span of the whole saga, from its start to its end."""
    return _span_id(saga_id, "saga")


def dispatch_id(saga_id: UUID, token: int) -> int:
    """Return the id of the span of the dispatch with this fencing token. It is the parent of its steps' spans."""
    return _span_id(saga_id, str(token))


def is_traced(saga_id: UUID, share: float) -> bool:
    """Return whether the saga belongs to the share (0 to 1) that is traced. Every process decides the same."""
    return saga_id.int & ((1 << _RANDOM_BITS) - 1) < share * (1 << _RANDOM_BITS)


def _span_id(saga_id: UUID, what: str) -> int:
    return int.from_bytes(blake2b(saga_id.bytes + what.encode(), digest_size=8).digest(), "big") or 1
