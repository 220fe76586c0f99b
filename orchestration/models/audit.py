"""Tables of the periodic audit: its runs and its findings."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class AuditRun(models.Model):
    """One run; at most one is under way. Its lease until `alive_until` shows whether its process died."""

    id = models.BigAutoField(primary_key=True)
    started_at = models.DateTimeField(db_default=Now())
    alive_until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    is_running = models.BooleanField(default=True)
    ok = models.BooleanField(null=True)
    """Whether no finding is open; null while it runs, and if it did not complete."""
    error = models.TextField(default="")
    """Why it did not complete."""
    checked = models.JSONField(default=dict)
    """Number of checks made, by invariant."""
    not_made = models.JSONField(default=list)
    """Checks that could not be made: each with its `invariants`, and why."""
    sagas = models.PositiveIntegerField(default=0)
    """Number of sagas checked. A saga that is checked twice counts twice."""

    recent_to = models.UUIDField(null=True)
    """New sagas below this id have been checked. The next run begins here."""
    rotated_to = models.UUIDField(null=True)
    """Old sagas below this id have been checked; null if all have, so that the next run begins anew."""
    unfinished = models.JSONField(default=list)
    """Ids of sagas that had not ended and will not be new in the next run, which checks them again."""

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("is_running",), condition=Q(is_running=True), name="audit_one_run_is_under_way"
            ),
            models.CheckConstraint(
                condition=Q(is_running=True, ended_at=None) | Q(is_running=False, ended_at__isnull=False),
                name="audit_run_is_under_way_or_has_ended",
            ),
        )

    def __str__(self) -> str:
        return f"audit {self.pk} of {self.started_at:%Y-%m-%d %H:%M}"


class AuditFinding(models.Model):
    """One violation, from the run that saw it first to the first run that did not see it any more."""

    class Outcome(models.TextChoices):
        """Whether an audit still saw the violation after the repair had ended."""

        GONE = "gone"
        STILL_THERE = "still_there"

    id = models.BigAutoField(primary_key=True)
    fingerprint = models.TextField()
    """Identifies the violation, though numbers in its message may change."""
    invariant = models.TextField()
    message = models.TextField()
    ids = models.JSONField(default=dict)
    """Ids of its subjects by their kind: saga, step, order, sku, key, currency…"""
    saga_id = models.UUIDField(null=True)
    advice = models.TextField(default="")
    """What the operator has to do."""

    first_seen_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    """Null while only one run has seen it, and its subject may have changed while it was read (a suspicion)."""
    last_seen_at = models.DateTimeField()
    last_run = models.ForeignKey(AuditRun, null=True, on_delete=models.SET_NULL, related_name="saw", db_index=False)
    gone_at = models.DateTimeField(null=True)
    gone_run = models.ForeignKey(AuditRun, null=True, on_delete=models.SET_NULL, related_name="missed", db_index=False)

    accepted_by = models.TextField(default="")
    accepted_at = models.DateTimeField(null=True)
    accepted_reason = models.TextField(default="")

    repair = models.TextField(default="")
    """The saga definition that would repair it; empty if no saga can."""
    repair_parameters = models.JSONField(default=dict)
    repair_saga_id = models.UUIDField(null=True)
    applied_by = models.TextField(default="")
    applied_at = models.DateTimeField(null=True)
    applied_reason = models.TextField(default="")
    outcome = models.TextField(choices=Outcome.choices, default="")

    class Meta:
        ordering = ("-id",)
        permissions = (("accept_finding", "Can accept a finding"), ("apply_repair", "Can apply a finding's repair"))
        constraints = (
            models.UniqueConstraint(
                fields=("fingerprint",), condition=Q(gone_at=None), name="finding_is_there_once_until_it_is_gone"
            ),
            models.CheckConstraint(
                condition=Q(accepted_at=None) | ~Q(accepted_by="") & ~Q(accepted_reason=""),
                name="finding_is_accepted_by_somebody_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(applied_at=None, repair_saga_id=None)
                | Q(applied_at__isnull=False, repair_saga_id__isnull=False) & ~Q(applied_by="") & ~Q(applied_reason=""),
                name="finding_repair_is_applied_by_somebody_for_a_reason",
            ),
        )
        indexes = (
            models.Index(fields=("last_seen_at",), name="finding_not_gone", condition=Q(gone_at=None)),
            models.Index(fields=("saga_id",), name="finding_by_saga", condition=Q(saga_id__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.invariant} {self.message}"
