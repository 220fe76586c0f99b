"""Audit runs: at most one under way, on whichever host; one whose process died is ended by the next."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from orchestration.models import ALIAS
from orchestration.models.audit import AuditRun

LEASE = timedelta(minutes=15)
"""A run is taken for dead when no portion of it has ended for so long: one statement may take ten minutes."""

KEPT = timedelta(days=90)
"""Runs that began longer ago are forgotten when another has come to its end; what they found is kept."""

DIED = "its process died"


class AnotherIsRunning(Exception):
    """Another audit is under way."""


class TooSoon(Exception):
    """Another audit was started a while ago, and its period is not over."""


class Overtaken(Exception):
    """The run was taken for dead, and ended by another."""


def last() -> AuditRun | None:
    """The run that was started last."""
    return AuditRun.objects.using(ALIAS).first()


def before(run: AuditRun) -> AuditRun | None:
    """The run before this one that had begun to look at sagas: its places to go on from are good."""
    return AuditRun.objects.using(ALIAS).filter(pk__lt=run.pk, recent_to__isnull=False).first()


def is_due(period: timedelta, *, now: datetime) -> bool:
    """Whether the last run was started so long ago, or died, or was started in the future, by a wrong clock."""
    run = last()
    return run is None or not now - period < run.started_at <= now + LEASE or (run.is_running and run.alive_until < now)


def start(*, now: datetime, every: timedelta = timedelta(0)) -> AuditRun:
    """Begin a run; one whose process died is ended. Of several processes, one begins.

    :raises AnotherIsRunning: when one is under way.
    :raises TooSoon: when another, that has not died, was started within `every`.
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
    """Write down how far the run has come, and that it lives.

    :raises Overtaken: when it was taken for dead.
    """
    run.alive_until = now + LEASE
    _save(run, "alive_until", "checked", "not_made", "sagas", "recent_to", "rotated_to", "unfinished")


def end(run: AuditRun, *, ok: bool | None, error: str = "", now: datetime) -> None:
    """Write down how the run has ended; `ok` None: it did not come to its end.

    :raises Overtaken: when it was taken for dead.
    """
    run.ok, run.error, run.ended_at = ok, error, now
    _save(run, "ok", "error", "ended_at", is_running=False)
    if ok is not None:
        AuditRun.objects.using(ALIAS).filter(pk__lt=run.pk, started_at__lt=now - KEPT).delete()


def _save(run: AuditRun, *columns: str, **more: bool) -> None:
    changed = {column: getattr(run, column) for column in columns} | more
    if not AuditRun.objects.using(ALIAS).filter(pk=run.pk, is_running=True).update(**changed):
        raise Overtaken(Overtaken.__doc__)
