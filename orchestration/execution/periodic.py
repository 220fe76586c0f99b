"""Loops that workers run beside their consumer, until the process ends."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from orchestration.db.connections import return_connections_between_jobs

logger = logging.getLogger(__name__)


def run_periodically(
    stopped: threading.Event, once: Callable[[], object], *, every: timedelta, of: str, busy: timedelta | None = None
) -> None:
    """Wait and run `once`, until `stopped`; outages are waited out. `of` says in the log what failed.

    After a round that gives something true, the wait is `busy` if that is given.
    """
    wait = every
    while not stopped.wait(wait.total_seconds()):
        wait = every
        try:
            wait = busy if once() and busy else every
        except Exception:  # the loop outlives whatever a round ran into
            logger.exception("a round of %s failed; the next one comes", of)
        finally:
            return_connections_between_jobs()
