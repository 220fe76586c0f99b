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
    """Wait, run `once`, and repeat until `stopped`. Log the error of a round, named by `of`, and continue.

    After a round that returns a true value, wait for `busy` instead of `every`, if `busy` is given.
    """
    wait = every
    while not stopped.wait(wait.total_seconds()):
        wait = every
        try:
            wait = busy if once() and busy else every
        except Exception:  # the loop must survive any error of a round
            logger.exception("a round of %s failed; the next one runs later", of)
        finally:
            return_connections_between_jobs()
