"""What this process has counted and nobody has taken yet: a dictionary and a lock, because hot paths count."""

import threading
from collections.abc import Iterable, Mapping

from orchestration.telemetry.metric_definitions import Key

_lock = threading.Lock()
_pending: dict[Key, float] = {}


def add(keys: Iterable[tuple[Key, float]]) -> None:
    """Count these, each so many times."""
    with _lock:
        for key, by in keys:
            _pending[key] = _pending.get(key, 0) + by


def take() -> Mapping[Key, float]:
    """What was counted since the last time; whoever takes it sees to it."""
    global _pending
    with _lock:
        taken, _pending = _pending, {}
    return taken


def forget() -> None:
    """In a forked process: what was counted so far is the parent's, and its lock may have been held."""
    global _lock, _pending
    _lock, _pending = threading.Lock(), {}
