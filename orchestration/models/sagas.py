"""Tables of sagas: the instances, their log, and the markers that tell a lost message from a late one."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from orchestration.models.actions import OperatorAction
from orchestration.protocol.states import ENDED, Kind, Phase

ALIAS = "orchestration"
_ENDS = [phase for phase in Phase if phase in ENDED]  # in one order, or every run would ask for a migration
UNFINISHED = ~Q(phase__in=_ENDS)
OFF_THE_STRAIGHT_WAY = Q(phase__in=[Phase.BARRING, Phase.COMPENSATING, Phase.FINISHING, Phase.COMPENSATED])
"""Phases that a saga of which nothing goes wrong is never in. Conditions of indexes: said alike, they are used."""


class SagaInstance(models.Model):
    """One run of a saga. Every change of it is a compare-and-set on `phase` and `version`."""

    id = models.UUIDField(primary_key=True)
    definition = models.TextField()
    customer_id = models.TextField()
    idempotency_key = models.TextField()
    request_hash = models.TextField()
    order_id = models.UUIDField(null=True)
    request = models.JSONField()

    phase = models.TextField(choices=[(phase.value, phase.value) for phase in Phase])
    version = models.PositiveIntegerField(default=0)
    token = models.PositiveIntegerField(default=1)
    """The fencing token: how often something was dispatched."""
    in_flight = models.BooleanField(default=True)
    progress = models.JSONField(default=dict)
    """The parts of `State` and `FailureSummary` that have no column: done, undone, held, parked, settled, skipped,
    failures, errors, waiting, waits (the step that waits for a lock)."""
    answers = models.JSONField(default=dict)
    """Facts that steps have answered, by field name."""
    failure = models.JSONField(null=True)
    log_length = models.PositiveIntegerField(default=1)

    parked = models.BooleanField(default=False)
    paused = models.BooleanField(default=False, db_default=False)  # code that knows no pause starts sagas, too
    """Nothing is sent until somebody unpauses it."""
    failing_step = models.TextField(default="", db_default="")
    """The step that failed or waits, parked ones first; empty when none does."""
    failed_tries = models.PositiveIntegerField(default=0, db_default=0)
    """How often in a row that step has failed; waiting for a breaker is no attempt."""
    last_error = models.TextField(default="", db_default="")
    """How its last try ended, else why the saga was refused or given up; it stays when all is well again."""
    waits = models.BooleanField(default=False, db_default=False)
    """Whether it waits for a lock, for a breaker to close, or for the broker to be back."""
    waits_for = models.UUIDField(null=True)
    """The saga that holds the lock that this one waits for."""
    waits_on = models.TextField(default="", db_default="")  # code that knows no locks starts sagas, too
    """The resource of that lock, such as "order:0198…"."""
    waits_since = models.DateTimeField(null=True)
    retry_of = models.UUIDField(null=True)
    """The saga whose work this one does again, because that one was given up to end a deadlock."""
    victim_count = models.PositiveSmallIntegerField(default=0, db_default=0)
    """How often this work was given up to end a deadlock before this saga."""
    dispatched_at = models.DateTimeField()
    held_at = models.DateTimeField(null=True)
    """When a worker last held its message while a marker overtook it. Markers sent before that prove nothing."""
    due_at = models.DateTimeField(null=True)
    """When recovery looks at it again; null when it has ended or waits for a person."""
    deadline_at = models.DateTimeField()
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "saga"
        permissions = (
            *((f"{action}_saga", f"Can {action} a saga") for action in OperatorAction),
            ("operate_breakers", "Can open and close breakers"),
            ("handle_dead_letters", "Can send dead letters again, and discard them"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("customer_id", "idempotency_key"), name="saga_one_per_customer_and_idempotency_key"
            ),
            models.UniqueConstraint(
                fields=("retry_of",), name="saga_is_retried_once", condition=Q(retry_of__isnull=False)
            ),
            models.CheckConstraint(condition=Q(phase__in=list(Phase)), name="saga_phase_is_known"),
            models.CheckConstraint(
                condition=Q(phase__in=_ENDS, ended_at__isnull=False, due_at__isnull=True)
                | ~Q(phase__in=_ENDS) & Q(ended_at__isnull=True),
                name="saga_ended_is_never_due",
            ),
            models.CheckConstraint(
                condition=Q(parked=True) | Q(paused=True) | Q(due_at__isnull=False) | Q(phase__in=_ENDS),
                name="saga_unfinished_is_due_parked_or_paused",
            ),
            models.CheckConstraint(
                condition=Q(paused=False) | Q(due_at__isnull=True) & ~Q(phase__in=_ENDS),
                name="saga_paused_is_unfinished_and_never_due",
            ),
            models.CheckConstraint(
                condition=Q(waits_for__isnull=True, waits_on="", waits_since__isnull=True)
                | Q(phase=Phase.RUNNING, waits_for__isnull=False, waits_since__isnull=False) & ~Q(waits_on=""),
                name="saga_waits_only_while_running",
            ),
        )
        indexes = (
            models.Index(F("due_at"), name="saga_due", condition=Q(due_at__isnull=False)),
            models.Index(fields=("order_id",), name="saga_by_order"),
            models.Index(fields=("idempotency_key",), name="saga_by_idempotency_key"),
            models.Index(fields=("-created_at",), name="saga_newest_first"),
            models.Index(fields=("definition", "-created_at"), name="saga_by_definition"),
            models.Index(fields=("-created_at",), name="saga_unfinished", condition=UNFINISHED),
            models.Index(fields=("phase", "-created_at"), name="saga_off_the_way", condition=OFF_THE_STRAIGHT_WAY),
            models.Index(fields=("-created_at",), name="saga_parked", condition=Q(parked=True)),
            models.Index(fields=("-created_at",), name="saga_paused", condition=Q(paused=True)),
            models.Index(fields=("-created_at",), name="saga_waiting", condition=Q(waits=True)),
            models.Index(fields=("waits_for",), name="saga_waits_for", condition=Q(waits_for__isnull=False)),
            models.Index(fields=("failing_step", "-created_at"), name="saga_failing", condition=~Q(failing_step="")),
            models.Index(fields=("last_error", "-created_at"), name="saga_by_last_error", condition=~Q(last_error="")),
            models.Index(fields=("-ended_at",), name="saga_ended", condition=Q(ended_at__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.definition} {self.id}"


class SagaLogEntry(models.Model):
    """One line of a saga's log: append-only, gapless."""

    saga = models.ForeignKey(SagaInstance, on_delete=models.PROTECT, related_name="log", db_index=False)
    sequence = models.PositiveIntegerField()
    kind = models.TextField(choices=[(kind.value, kind.value) for kind in Kind])
    step = models.TextField(default="")
    phase = models.TextField()
    """The saga's phase after this."""
    token = models.PositiveIntegerField()
    detail = models.JSONField(default=dict)
    at = models.DateTimeField()
    """When it happened."""
    written_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "saga log entry"
        verbose_name_plural = "saga log"
        ordering = ("saga", "sequence")
        constraints = (
            models.UniqueConstraint(fields=("saga", "sequence"), name="saga_log_one_entry_per_number"),
            models.CheckConstraint(condition=Q(kind__in=list(Kind)), name="saga_log_kind_is_known"),
        )

    def __str__(self) -> str:
        return f"{self.sequence} {self.kind} {self.step}".rstrip()


class Marker(models.Model):
    """The newest message known to have passed a route of queues: what was sent before it is done, or lost."""

    route = models.TextField(primary_key=True)
    sent_at = models.DateTimeField()
    back_sent_at = models.DateTimeField(null=True)
    """When the newest had been sent that came back, while it is not known yet what it overtook inside workers."""
    returned_sent_at = models.DateTimeField(null=True)
    """When the newest marker that came back had been sent."""

    def __str__(self) -> str:
        return self.route
