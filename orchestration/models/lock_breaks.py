"""The requests of operators to take a lock from the saga that holds it."""

from django.db import models
from django.db.models import F, Q

from orchestration.models.actions import Via


class LockBreak(models.Model):
    """One operator asks to break a lock, and another one approves it. `fence` is that of the hold to be ended.

    A hold is asked for once: a lock that was handed on meanwhile is another hold, which needs another request.
    """

    service = models.TextField()
    resource = models.TextField()
    holder = models.UUIDField()
    """The saga from which the lock is taken."""
    fence = models.BigIntegerField()
    asked_by = models.TextField()
    asked_user_id = models.IntegerField()
    via = models.TextField(choices=[(via.value, via.value) for via in Via])
    reason = models.TextField()
    evidence = models.TextField()
    asked_at = models.DateTimeField()
    approved_by = models.TextField(default="", db_default="")
    approved_user_id = models.IntegerField(null=True)
    approved_at = models.DateTimeField(null=True)
    """When the second person had the lock broken."""

    class Meta:
        default_permissions = ()
        permissions = (("break_lock", "Can ask to break a lock, and approve it as the second person"),)
        constraints = (
            models.UniqueConstraint(fields=("service", "resource", "fence"), name="lock_break_asked_once_for_a_hold"),
            models.CheckConstraint(
                condition=~Q(reason="") & ~Q(evidence=""), name="lock_break_has_reason_and_evidence"
            ),
            models.CheckConstraint(
                condition=Q(approved_user_id__isnull=True) | ~Q(approved_user_id=F("asked_user_id")),
                name="lock_break_needs_two_people",
            ),
        )

    def __str__(self) -> str:
        return f"{self.resource} held by saga {self.holder}, to be broken for {self.asked_by}"
