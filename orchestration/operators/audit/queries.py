"""Queries of the audit's tables: findings, the last run, and the overall state."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from orchestration.models import ALIAS
from orchestration.models.audit import AuditFinding, AuditRun
from orchestration.operators.audit.values import Gap, Reach, gap_of, reach_of

NO_RUN = Reach()
"""The reach if there has been no run."""


@dataclass(frozen=True)
class AuditState:
    """The state of audits, for tiles and metrics. `ok` is None if no run has completed yet.

    `is_late`: the last completed run started more than two periods ago.
    """

    ok: bool | None
    ended_at: datetime | None
    open: int
    accepted: int
    is_late: bool
    error: str = ""
    """Why the newest run did not complete; empty if it did, or is still running."""
    reach: Reach = NO_RUN
    """The invariants that the last completed run could not check, or only in part."""
    gaps: tuple[Gap, ...] = ()
    """The checks that the run could not make, and why."""


def open_findings() -> QuerySet[AuditFinding]:
    """Return open findings, including accepted ones, newest first."""
    return AuditFinding.objects.using(ALIAS).filter(gone_at=None, opened_at__isnull=False)


def findings() -> QuerySet[AuditFinding]:
    """Return open findings and those that are gone, newest first, without suspicions."""
    return AuditFinding.objects.using(ALIAS).filter(opened_at__isnull=False)


def last_run() -> AuditRun | None:
    """Return the newest completed run; None if there is none."""
    return AuditRun.objects.using(ALIAS).filter(ok__isnull=False).first()


def reach_of_run(run: AuditRun) -> Reach:
    """Return the invariants that the run could not check, or only in part."""
    return reach_of(run.checked, map(gap_of, run.not_made))


def audit_state(*, now: datetime) -> AuditState:
    """Return the state of audits now."""
    run, newest = last_run(), AuditRun.objects.using(ALIAS).first()
    accepted = open_findings().filter(accepted_at__isnull=False).count()
    period: timedelta = settings.AUDIT_PERIOD
    return AuditState(
        ok=run.ok if run else None,
        ended_at=run.ended_at if run else None,
        open=open_findings().count() - accepted,
        accepted=accepted,
        is_late=bool(period) and run is not None and run.started_at + 2 * period < now,
        error=newest.error if newest else "",
        reach=reach_of_run(run) if run else NO_RUN,
        gaps=tuple(map(gap_of, run.not_made)) if run else (),
    )
