"""Rows of audit runs. At most one run is under way on all hosts. If its process died, the next run ends it."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from orchestration.models import ALIAS
from orchestration.models.audit import AuditRun

LEASE = timedelta(minutes=15)
"""A run counts as dead if it has saved no portion for this long. One statement may take ten minutes."""

KEPT = timedelta(days=90)
"""Runs that began longer ago are deleted when another run completes. Their findings are kept."""

DIED = "its process died"


class AnotherIsRunning(Exception):
    """Another audit is under way."""


class TooSoon(Exception):
    """Another audit was started a while ago, and its period is not over."""


class Overtaken(Exception):
    """The run was taken for dead, and ended by another."""


def last() -> AuditRun | None:
    """Return the newest run; None if there is none."""
    return AuditRun.objects.using(ALIAS).first()


def before(run: AuditRun) -> AuditRun | None:
    """Return the newest earlier run that has stored its positions; None if there is none."""
    return AuditRun.objects.using(ALIAS).filter(pk__lt=run.pk, recent_to__isnull=False).first()


def is_due(period: timedelta, *, now: datetime) -> bool:
    """Return whether a run is due: the last one began `period` ago, died, or began in the future, by a wrong clock."""
    run = last()
    return run is None or not now - period < run.started_at <= now + LEASE or (run.is_running and run.alive_until < now)


def start(*, now: datetime, every: timedelta = timedelta(0)) -> AuditRun:
    """Start a run, and end one whose process died. Of several processes that call this, one starts a run.

    :raises AnotherIsRunning: when another run is under way.
    :raises TooSoon: when another run, which has not died, was started within `every`.
    """
    runs = AuditRun.objects.using(ALIAS)
    is_dead = Q(alive_until__lt=now) | Q(alive_until__gt=now + 2 * LEASE)  # written by a wrong clock
    runs.filter(is_dead, is_running=True).update(is_running=False, ended_at=now, error=DIED)
    try:
        with transaction.atomic(using=ALIAS):
            run = runs.create(started_at=now, alive_until=now + LEASE)
            earlier = runs.exclude(pk=run.pk).first()
            if earlier and earlier.error != DIED and now - every < earlier.started_at <= now + LEASE:
                raise TooSoon(TooSoon.__doc__)
    except IntegrityError:
        raise AnotherIsRunning(AnotherIsRunning.__doc__) from None
    return run


def save_progress(run: AuditRun, *, now: datetime) -> None:
    """Store the run's progress and renew its lease.

    :raises Overtaken: when another process has ended the run because its lease had expired.
    """
    run.alive_until = now + LEASE
    _save(run, "alive_until", "checked", "not_made", "sagas", "recent_to", "rotated_to", "unfinished")


def end(run: AuditRun, *, ok: bool | None, error: str = "", now: datetime) -> None:
    """Store how the run has ended; `ok` is None if it did not complete. Delete old runs if it did.

    :raises Overtaken: when another process has ended the run because its lease had expired.
    """
    run.ok, run.error, run.ended_at = ok, error, now
    _save(run, "ok", "error", "ended_at", is_running=False)
    if ok is not None:
        AuditRun.objects.using(ALIAS).filter(pk__lt=run.pk, started_at__lt=now - KEPT).delete()


def _save(run: AuditRun, *columns: str, **more: bool) -> None:
    changed = {column: getattr(run, column) for column in columns} | more
    if not AuditRun.objects.using(ALIAS).filter(pk=run.pk, is_running=True).update(**changed):
        raise Overtaken(Overtaken.__doc__)
