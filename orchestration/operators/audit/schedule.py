"""The audit's loop. Every orchestrator worker runs it, and one of them at a time audits."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error

from orchestration.db import clocks
from orchestration.execution.periodic import run_periodically
from orchestration.models.audit import AuditRun
from orchestration.operators.audit import record, run_rows
from orchestration.operators.audit.run import Stopped, Walk
from orchestration.operators.audit.values import CannotAudit

logger = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=15)
"""How often the loop checks whether a run is due."""

FIRST_AFTER = timedelta(minutes=5)
"""The delay after a process starts: it has more urgent work then, and may end soon."""


def run_forever(stopped: threading.Event) -> None:
    """Audit every `AUDIT_PERIOD` until `stopped`, unless another process does. An outage ends a run, not the loop."""
    period: timedelta = settings.AUDIT_PERIOD
    stopped.wait(min(period, FIRST_AFTER).total_seconds())

    def audit_if_due() -> None:
        if run_rows.is_due(period, now=clocks.now()):
            run_once(stopped=stopped.is_set, every=period)

    run_periodically(stopped, audit_if_due, every=min(period, LOOK_EVERY), of="audits")


def run_once(
    *,
    stopped: Callable[[], bool] = lambda: False,
    every: timedelta = timedelta(0),
    clock: Callable[[], datetime] = clocks.now,
) -> AuditRun | None:
    """Run one audit and return its row; None if another was started within `every`, or is under way.

    If a database cannot be read, the run ends, and its row holds the error.
    """
    try:
        with record.one_run(every=every, clock=clock) as run:
            Walk(run, clock, stopped).go()
    except (run_rows.AnotherIsRunning, run_rows.TooSoon):
        return None
    except (CannotAudit, Stopped, Error) as error:
        logger.warning("an audit did not come to its end: %s", error)
        return run_rows.last()
    return run
