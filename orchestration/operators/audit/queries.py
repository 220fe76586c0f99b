"""Reads of audits: what is open, and how the last run ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from orchestration.models import ALIAS
from orchestration.models.audit import AuditFinding, AuditRun
from orchestration.operators.audit.values import Gap, Reach, gap_of, reach_of

NO_RUN = Reach()
"""That of no run: it leaves nothing out."""


@dataclass(frozen=True)
class AuditState:
    """The state of audits, for tiles and metrics; `ok` None: no run has come to its end yet.

    `is_late`: by more than two periods there is no run that came to its end although there should be.
    """

    ok: bool | None
    ended_at: datetime | None
    open: int
    accepted: int
    is_late: bool
    error: str = ""
    """Why the very last run did not come to its end, if it did not."""
    reach: Reach = NO_RUN
    """How far the last run that came to its end could read."""
    gaps: tuple[Gap, ...] = ()
    """What that run could not check, and why."""


def open_findings() -> QuerySet[AuditFinding]:
    """What audits see now, the accepted ones too, the newest first."""
    return AuditFinding.objects.using(ALIAS).filter(gone_at=None, opened_at__isnull=False)


def findings() -> QuerySet[AuditFinding]:
    """Open findings and those that are gone, the newest first; suspicions are left out."""
    return AuditFinding.objects.using(ALIAS).filter(opened_at__isnull=False)


def last_run() -> AuditRun | None:
    """The newest run that came to its end."""
    return AuditRun.objects.using(ALIAS).filter(ok__isnull=False).first()


def reach_of_run(run: AuditRun) -> Reach:
    """How far the run could read."""
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
