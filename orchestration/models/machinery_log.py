"""The machinery log: what operators did to breakers and dead letters."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.models.actions import MachineryAction, MachineryOutcome, Via

_ACTIONS = [action.value for action in MachineryAction]
_OUTCOMES = [outcome.value for outcome in MachineryOutcome]


class MachineryLogEntry(models.Model):
    """An operator's action on a breaker or a dead letter, its reason, and its outcome.

    The row is written before the action. `outcome`, `detail`, `after` and `ended_at` are written once, after it. A
    trigger refuses every other change (`machinery_log_is_append_only`). The outcome of a row without an end is unknown.
    """

    id = models.BigAutoField(primary_key=True)
    action = models.TextField(choices=[(name, name) for name in _ACTIONS])
    subject = models.TextField()
    """The name of a breaker, or the queue and id of a dead letter."""
    wanted = models.JSONField(default=dict)
    """Further parameters, such as the time until which a breaker is to be open."""
    by = models.TextField()
    user_id = models.IntegerField(null=True)
    via = models.TextField(choices=[(via.value, via.value) for via in Via])
    reason = models.TextField()
    before = models.JSONField()
    """The breaker or the dead letter before the action. Of a dead letter only ids."""
    asked_at = models.DateTimeField(db_default=Now())

    outcome = models.TextField(choices=[(name, name) for name in _OUTCOMES], default="")
    """Empty until the action has ended."""
    detail = models.TextField(default="")
    """Why nothing was changed, or which server became unavailable."""
    after = models.JSONField(null=True)
    """The breaker after the action, or the queue of the message. Null when it is unknown."""
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "machinery log entry"
        verbose_name_plural = "machinery log"
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=~Q(reason=""), name="machinery_log_has_a_reason"),
            models.CheckConstraint(condition=~Q(by=""), name="machinery_log_names_somebody"),
            models.CheckConstraint(condition=~Q(subject=""), name="machinery_log_names_something"),
            models.CheckConstraint(condition=Q(action__in=_ACTIONS), name="machinery_log_action_is_known"),
            models.CheckConstraint(
                condition=Q(outcome="", ended_at__isnull=True) | Q(outcome__in=_OUTCOMES, ended_at__isnull=False),
                name="machinery_log_ended_with_an_outcome",
            ),
        )

    def __str__(self) -> str:
        return f"{self.action} of {self.subject} by {self.by}: {self.outcome or 'it has no end'}"
