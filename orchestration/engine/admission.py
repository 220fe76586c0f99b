"""Whether so many sagas are under way that no new one should be taken on."""

import threading
import time

from django.conf import settings

from orchestration.models import ALIAS, SagaInstance
from orchestration.protocol.states import ENDED, Phase

LOOK_SECONDS = 1.0
"""A process counts no more often; in between it may take on a second's worth more than the limit."""

_ENDS = [phase for phase in Phase if phase in ENDED]  # as the index has them, or it could not be used
_lock = threading.Lock()
_looked_at = float("-inf")  # monotonic seconds
_is_full = False


def is_full() -> bool:
    """Whether `settings.BACKLOG_LIMIT` unfinished sagas are there, paused ones not counted; 0 is no limit.

    The count stops at the limit.
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
    """Count anew when next asked."""
    global _looked_at
    _looked_at = float("-inf")


def _count_up_to(limit: int) -> int:
    return SagaInstance.objects.using(ALIAS).exclude(phase__in=_ENDS).filter(paused=False)[:limit].count()
