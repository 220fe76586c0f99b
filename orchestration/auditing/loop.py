"""The audit's loop: any orchestrator worker runs it, and one of them at a time audits."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error, close_old_connections

from orchestration.auditing import registry, runs
from orchestration.auditing.models import AuditFinding, AuditRun
from orchestration.auditing.reading import open_findings
from orchestration.auditing.running import Stopped, Walk, utc_now
from orchestration.auditing.values import CannotAudit

logger = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=15)
"""How often it is looked whether a run is due."""

FIRST_AFTER = timedelta(minutes=5)
"""A process that has just been started has better things to do; and it may end soon."""


def run_forever(stopped: threading.Event) -> None:
    """Audit every `AUDIT_PERIOD` until `stopped`, unless another process does; outages are waited out."""
    period: timedelta = settings.AUDIT_PERIOD
    stopped.wait(min(period, FIRST_AFTER).total_seconds())
    while not stopped.wait(min(period, LOOK_EVERY).total_seconds()):
        close_old_connections()
        try:
            if runs.is_due(period, now=utc_now()):
                run_once(stopped=stopped.is_set, every=period)
        except Exception:  # the loop outlives whatever a run ran into
            logger.exception("an audit failed; the next one comes")
        finally:
            close_old_connections()


def run_once(
    *,
    stopped: Callable[[], bool] = lambda: False,
    every: timedelta = timedelta(0),
    clock: Callable[[], datetime] = utc_now,
) -> AuditRun | None:
    """One run, here and now; None when another has been started within `every`, or is under way.

    A database that cannot be read ends it; the run's row says so.
    """
    auditor = registry.auditor()
    try:
        run = runs.start(now=clock(), every=every)
    except runs.AnotherIsRunning:
        return None
    if run is None:
        return None
    try:
        Walk(run, auditor, clock, stopped).go()
    except (CannotAudit, Stopped, Error) as error:
        logger.warning("audit %s did not come to its end: %s", run.pk, error)
        runs.end(run, ok=None, error=str(error), now=clock())
        return run
    _conclude(run, clock())
    return run


def _conclude(run: AuditRun, now: datetime) -> None:
    there = open_findings().filter(accepted_at=None)
    runs.end(run, ok=not there.exists(), now=now)
    new: list[AuditFinding] = list(there.filter(opened_at__gte=run.started_at)[:100])
    for finding in new:
        logger.error("audit: %s %s %s", finding.invariant, finding.message, finding.ids)
    logger.info("audit %s looked at %s sagas: %s", run.pk, run.sagas, "ok" if run.ok else "findings are open")
