"""Tables of what operators do: the operator log, batches of one action on many sagas, and the machinery log."""

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from orchestration.models.actions import MOVES_MONEY, Code, MachineryAction, MachineryOutcome, OperatorAction, Via

_ACTIONS = [(action.value, action.value) for action in OperatorAction]
_MOVES_MONEY = [action.value for action in OperatorAction if action in MOVES_MONEY]  # in one order
_MACHINERY_ACTIONS = [action.value for action in MachineryAction]
_MACHINERY_OUTCOMES = [outcome.value for outcome in MachineryOutcome]


class BatchState(models.TextChoices):
    ASKED = "asked"
    """It waits for a second person."""
    APPROVED = "approved"
    RUNNING = "running"
    STOPPED = "stopped"
    FINISHED = "finished"


class Batch(models.Model):
    """One action on many sagas: a few first, as a canary, then the others at a rate, until it is stopped.

    Its members are chosen when it is asked for, and each is looked at again when its turn comes.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    action = models.TextField(choices=_ACTIONS)
    wanted = models.JSONField(default=dict)
    """The filter that chose the members, and that each must still meet when its turn comes."""
    wanted_in_words = models.TextField()
    step = models.TextField(default="")
    statement = models.JSONField(null=True)
    """For resolve and settle: outcome and facts."""
    reason = models.TextField()
    evidence = models.TextField(default="")
    by = models.TextField()
    user_id = models.IntegerField(null=True)
    via = models.TextField(choices=[(via.value, via.value) for via in Via])
    state = models.TextField(choices=BatchState.choices)
    idempotency_key = models.TextField(null=True)
    """Identifies the form or request, so that sending it twice creates one batch."""

    approved_by = models.TextField(default="")
    approved_user_id = models.IntegerField(null=True)
    approved_at = models.DateTimeField(null=True)
    stopped_by = models.TextField(default="")
    stopped_why = models.TextField(default="")

    canary = models.PositiveIntegerField()
    """The number of members that are done first. Their outcome is awaited before the others start."""
    per_second = models.FloatField()
    stop_above_percent = models.FloatField()
    """The batch stops when more than this share of its members with an outcome failed."""
    members_chosen = models.PositiveIntegerField()

    asked_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)
    """When the next member's turn comes at the earliest."""
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "batches"
        ordering = ("-asked_at", "-id")
        permissions = (("approve_batch", "Can approve a batch that moves money"), ("stop_batch", "Can stop a batch"))
        constraints = (
            models.CheckConstraint(condition=Q(state__in=BatchState.values), name="batch_state_is_known"),
            models.CheckConstraint(
                condition=Q(action__in=[name for name, _ in _ACTIONS]), name="batch_action_is_known"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="batch_has_a_reason"),
            models.CheckConstraint(
                condition=Q(approved_by="") | Q(user_id__isnull=False) & ~Q(approved_user_id=F("user_id")),
                name="batch_is_approved_by_a_second_person",
            ),
            models.CheckConstraint(
                condition=~Q(action__in=_MOVES_MONEY)
                | Q(state__in=("asked", "stopped"))
                | Q(approved_user_id__isnull=False),
                name="batch_that_moves_money_is_approved",
            ),
            models.CheckConstraint(condition=Q(per_second__gt=0), name="batch_has_a_rate"),
            models.UniqueConstraint(
                fields=("user_id", "idempotency_key"), name="batch_one_per_user_and_idempotency_key"
            ),
            models.CheckConstraint(
                condition=Q(idempotency_key=None) | Q(user_id__isnull=False), name="batch_key_is_of_an_account"
            ),
        )
        indexes = (
            models.Index(fields=("-asked_at", "-id"), name="batch_newest_first"),
            models.Index(fields=("next_at",), name="batch_under_way", condition=Q(state__in=("approved", "running"))),
        )

    def __str__(self) -> str:
        return f"{self.action} of {self.wanted_in_words}"


class OperatorLogEntry(models.Model):
    """An operator's action on a saga, its reason, and its outcome. Rows are only added.

    `observed`, `observed_detail` and `observed_at` are written once, later; a trigger refuses every other change
    (`operator_log_is_append_only`). A row outlives its saga, so it has no foreign key to it.
    """

    id = models.BigAutoField(primary_key=True)
    saga_id = models.UUIDField()
    action = models.TextField(choices=_ACTIONS)
    by = models.TextField()
    user_id = models.IntegerField(null=True)
    via = models.TextField(choices=[(via.value, via.value) for via in Via])
    step = models.TextField(default="")
    statement = models.JSONField(null=True)
    reason = models.TextField()
    evidence = models.TextField(default="")
    batch = models.ForeignKey(Batch, null=True, on_delete=models.PROTECT, related_name="entries")
    at = models.DateTimeField(db_default=Now())

    code = models.TextField(choices=[(code.value, code.value) for code in Code])
    detail = models.TextField(default="")
    """Why nothing was changed, or what else was changed."""
    before = models.JSONField()
    """The saga before the action."""
    after = models.JSONField()

    observed = models.TextField(default="")
    """The outcome: one of `outcome_watcher.Observed`. Empty until it is known."""
    observed_detail = models.TextField(default="")
    observed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "operator log entry"
        verbose_name_plural = "operator log"
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=~Q(reason=""), name="operator_log_has_a_reason"),
            models.CheckConstraint(condition=~Q(by=""), name="operator_log_names_somebody"),
            models.CheckConstraint(
                condition=Q(observed="", observed_at__isnull=True) | ~Q(observed="") & Q(observed_at__isnull=False),
                name="operator_log_observed_at_some_time",
            ),
        )
        indexes = (
            models.Index(fields=("saga_id", "id"), name="operator_log_by_saga"),
            models.Index(fields=("id",), name="operator_log_to_observe", condition=Q(observed_at__isnull=True)),
        )

    def __str__(self) -> str:
        return f"{self.action} of saga {self.saga_id} by {self.by}: {self.code}"

    @property
    def was_taken(self) -> bool:
        """Whether it changed anything."""
        return self.code == Code.TAKEN


class BatchMember(models.Model):
    """One saga of a batch, at its place. It is done with when it has an entry, was passed over, or given up."""

    class State(models.TextChoices):
        WAITING = "waiting"
        TAKEN_UP = "taken_up"
        """A worker is at it, until `leased_until`."""
        DONE = "done"
        PASSED_OVER = "passed_over"
        """It did not meet the filter any more when its turn came."""
        GIVEN_UP = "given_up"
        """It broke, or its worker died, each of the times that it was taken up."""

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="members")
    position = models.PositiveIntegerField()
    saga_id = models.UUIDField()
    state = models.TextField(choices=State.choices, default=State.WAITING)
    leased_until = models.DateTimeField(null=True)
    times_taken_up = models.PositiveSmallIntegerField(default=0, db_default=0)
    entry = models.OneToOneField(OperatorLogEntry, null=True, on_delete=models.PROTECT, related_name="member")
    detail = models.TextField(default="")

    class Meta:
        ordering = ("batch", "position")
        constraints = (
            models.UniqueConstraint(fields=("batch", "position"), name="batch_one_member_a_place"),
            models.UniqueConstraint(fields=("batch", "saga_id"), name="batch_has_a_saga_once"),
            models.CheckConstraint(
                condition=Q(state="done", entry__isnull=False) | ~Q(state="done") & Q(entry__isnull=True),
                name="batch_member_done_has_its_entry",
            ),
        )
        indexes = (
            models.Index(
                fields=("batch", "position"),
                name="batch_member_to_do",
                condition=Q(state__in=("waiting", "taken_up")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.position}: saga {self.saga_id}, {self.state}"


class MachineryLogEntry(models.Model):
    """An operator's action on a breaker, a dead letter or a lock, its reason, and its outcome.

    The row is written before the action. `outcome`, `detail`, `after` and `ended_at` are written once, after it. A
    trigger refuses every other change (`machinery_log_is_append_only`). The outcome of a row without an end is unknown.
    """

    id = models.BigAutoField(primary_key=True)
    action = models.TextField(choices=[(name, name) for name in _MACHINERY_ACTIONS])
    subject = models.TextField()
    """The name of a breaker, the queue and id of a dead letter, or the service and resource of a lock."""
    wanted = models.JSONField(default=dict)
    """Further parameters, such as the time until which a breaker is to be open."""
    by = models.TextField()
    user_id = models.IntegerField(null=True)
    via = models.TextField(choices=[(via.value, via.value) for via in Via])
    reason = models.TextField()
    before = models.JSONField()
    """The breaker, the dead letter (only ids) or the holder of the lock before the action."""
    asked_at = models.DateTimeField(db_default=Now())

    outcome = models.TextField(choices=[(name, name) for name in _MACHINERY_OUTCOMES], default="")
    """Empty until the action has ended."""
    detail = models.TextField(default="")
    """Why nothing was changed, or which server became unavailable."""
    after = models.JSONField(null=True)
    """The breaker or the holder after the action, or the queue of the message. Null when it is unknown."""
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "machinery log entry"
        verbose_name_plural = "machinery log"
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=~Q(reason=""), name="machinery_log_has_a_reason"),
            models.CheckConstraint(condition=~Q(by=""), name="machinery_log_names_somebody"),
            models.CheckConstraint(condition=~Q(subject=""), name="machinery_log_names_something"),
            models.CheckConstraint(condition=Q(action__in=_MACHINERY_ACTIONS), name="machinery_log_action_is_known"),
            models.CheckConstraint(
                condition=Q(outcome="", ended_at__isnull=True)
                | Q(outcome__in=_MACHINERY_OUTCOMES, ended_at__isnull=False),
                name="machinery_log_ended_with_an_outcome",
            ),
        )

    def __str__(self) -> str:
        return f"{self.action} of {self.subject} by {self.by}: {self.outcome or 'it has no end'}"
