"""The ledger of a participant: one row for each (saga, step)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Status(models.TextChoices):
    WAITING = "waiting"
    """The action has not run: its saga waits for a lock."""
    STARTED = "started"
    """An external call may have been made. Its outcome is not known yet."""
    DONE = "done"
    REFUSED = "refused"
    BARRED = "barred"
    """The step was compensated before it was done. A late action is refused."""
    UNDOING = "undoing"
    """An external call that reverses the action may have been made."""
    UNDONE = "undone"


LEGAL_NEXT: dict[str | None, frozenset[str]] = {
    None: frozenset({Status.WAITING, Status.STARTED, Status.DONE, Status.REFUSED, Status.BARRED}),
    Status.WAITING: frozenset({Status.DONE, Status.REFUSED, Status.BARRED}),
    Status.STARTED: frozenset({Status.DONE, Status.REFUSED, Status.UNDOING}),
    Status.DONE: frozenset({Status.UNDOING, Status.UNDONE}),
    Status.UNDOING: frozenset({Status.UNDONE}),
    Status.REFUSED: frozenset(),
    Status.BARRED: frozenset(),
    Status.UNDONE: frozenset(),
}
"""The statuses that may follow each status. None is the absent row."""


class LedgerRow(models.Model):
    """The columns of every service's `Ledger`. Only the kit writes it."""

    id = models.BigAutoField(primary_key=True)
    saga_id = models.UUIDField()
    step = models.TextField()
    status = models.TextField(choices=Status.choices)
    history = ArrayField(models.TextField())
    """Every status the row has had, oldest first; the last is `status`."""
    answer = models.JSONField(null=True)
    refusal = models.JSONField(null=True)
    request = models.JSONField(null=True)
    """The facts of an external call, kept so that the call can be repeated or queried."""
    token = models.PositiveIntegerField()
    """The fencing token (dispatch number) of the message that wrote the row last."""
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True
        verbose_name = "ledger row"
        constraints = (
            models.UniqueConstraint(fields=("saga_id", "step"), name="%(app_label)s_ledger_one_row_per_step"),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="%(app_label)s_ledger_status_is_known"),
        )
        indexes = (
            models.Index(
                fields=("changed_at",),
                name="%(app_label)s_ledger_open",
                condition=Q(status__in=(Status.STARTED, Status.UNDOING)),
            ),
        )

    def __str__(self) -> str:
        return f"{self.step} of saga {self.saga_id}: {self.status}"
