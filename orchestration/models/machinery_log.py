"""The machinery log: what operators did to breakers and dead letters."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.models.actions import MachineryAction, MachineryOutcome, Via

_ACTIONS = [action.value for action in MachineryAction]
_OUTCOMES = [outcome.value for outcome in MachineryOutcome]


class MachineryLogEntry(models.Model):
    """What an operator set out to do to a part of the machinery, and why; then, once, what came of it.

    It is written before anything is done. `outcome`, `detail`, `after` and `ended_at` are written once, afterwards; a
    trigger refuses every other change (`machinery_log_is_append_only`). Without an end nobody knows what came of it.
    """

    id = models.BigAutoField(primary_key=True)
    action = models.TextField(choices=[(name, name) for name in _ACTIONS])
    subject = models.TextField()
    """A breaker's name; of a dead letter its queue and id."""
    wanted = models.JSONField(default=dict)
    """What was asked for beside: until when a breaker is to be open."""
    by = models.TextField()
    user_id = models.IntegerField(null=True)
    via = models.TextField(choices=[(via.value, via.value) for via in Via])
    reason = models.TextField()
    before = models.JSONField()
    """The breaker or the letter as it was found; of a letter ids only."""
    asked_at = models.DateTimeField(db_default=Now())

    outcome = models.TextField(choices=[(name, name) for name in _OUTCOMES], default="")
    """Empty until it has ended."""
    detail = models.TextField(default="")
    """Why nothing was changed, or who went away."""
    after = models.JSONField(null=True)
    """The breaker afterwards, or where the letter went; null where that was not seen."""
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
