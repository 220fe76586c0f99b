"""Ids of traces and spans, made from what a saga's row says, so that nothing has to be stored or sent along. Pure."""

from hashlib import blake2b
from uuid import UUID

_RANDOM_BITS = 32
"""The last bits of a UUIDv7; those before them may be the time, the version, or a counter (RFC 9562, 6.2)."""


def trace_id_of(saga_id: UUID) -> int:
    """The saga's own id: one is found by the other, without its dashes."""
    return saga_id.int


def whole_id(saga_id: UUID) -> int:
    """The span that is the whole saga, from its start to its end."""
    return _span_id(saga_id, "saga")


def dispatch_id(saga_id: UUID, token: int) -> int:
    """The span of the dispatch with this fencing token, under which its steps stand."""
    return _span_id(saga_id, str(token))


def is_traced(saga_id: UUID, share: float) -> bool:
    """Whether the saga is one of the share (0 to 1) that is traced: the same in every process."""
    return saga_id.int & ((1 << _RANDOM_BITS) - 1) < share * (1 << _RANDOM_BITS)


def _span_id(saga_id: UUID, what: str) -> int:
    return int.from_bytes(blake2b(saga_id.bytes + what.encode(), digest_size=8).digest(), "big") or 1
