"""Counts of this process that are not in Redis yet: a dictionary and a lock, because hot paths count."""

import threading
from collections.abc import Iterable, Mapping

from orchestration.telemetry.metric_definitions import Key

_lock = threading.Lock()
_pending: dict[Key, float] = {}


def add(keys: Iterable[tuple[Key, float]]) -> None:
    """Add a number to each key's count."""
    with _lock:
        for key, by in keys:
            _pending[key] = _pending.get(key, 0) + by


def take() -> Mapping[Key, float]:
    """Return the counts since the last call and clear them. The caller must store them."""
    global _pending
    with _lock:
        taken, _pending = _pending, {}
    return taken


def forget() -> None:
    """Clear the counts in a forked process: they are the parent's, and the parent may have held the lock."""
    global _lock, _pending
    _lock, _pending = threading.Lock(), {}
