"""Refuses new sagas while too many are unfinished."""

import threading
import time

from django.conf import settings

from orchestration.models import ALIAS, SagaInstance
from orchestration.protocol.states import ENDED, Phase

LOOK_SECONDS = 1.0
"""Seconds between two counts of a process. Between them it may accept more sagas than the limit."""

_ENDS = [phase for phase in Phase if phase in ENDED]  # in the order of the index, which is not used otherwise
_lock = threading.Lock()
_looked_at = float("-inf")  # monotonic seconds
_is_full = False


def is_full() -> bool:
    """Return whether the unfinished sagas have reached `settings.BACKLOG_LIMIT`. 0 is no limit.

    Paused sagas do not count. The count stops at the limit.
    """
    global _looked_at, _is_full
    if not settings.BACKLOG_LIMIT:
        return False
    with _lock:
        if time.monotonic() - _looked_at >= LOOK_SECONDS:
            _is_full = _count_up_to(settings.BACKLOG_LIMIT) >= settings.BACKLOG_LIMIT
            _looked_at = time.monotonic()
        return _is_full


def look_again() -> None:
    """Forget the last count, so that the next call counts."""
    global _looked_at
    _looked_at = float("-inf")


def _count_up_to(limit: int) -> int:
    return SagaInstance.objects.using(ALIAS).exclude(phase__in=_ENDS).filter(paused=False)[:limit].count()
