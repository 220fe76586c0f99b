"""The abstract tables of semantic locks. A service has them beside its ledger, in its own database."""

from dataclasses import dataclass

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

LONGEST_RESOURCE = 200
"""The most characters of a resource: the lock's name, a colon and the value."""


class HoldRow(models.Model):
    """A lock that a saga holds. There is no row while the resource is free."""

    resource = models.TextField(primary_key=True)
    saga_id = models.UUIDField()
    step = models.TextField()
    fence = models.BigIntegerField(help_text="Fencing token of the lock. It grows over all resources of the service.")
    since = models.DateTimeField(db_default=Now())
    turn = models.BigIntegerField(null=True, help_text="The turn that it was handed to. Empty: it was free.")

    class Meta:
        abstract = True
        ordering = ("since", "resource")
        constraints = (
            models.CheckConstraint(
                condition=Q(resource__regex=rf"^(?=.{{3,{LONGEST_RESOURCE}}}$)[^:]+:."),
                name="%(app_label)s_hold_names_its_resource",
            ),
        )

    def __str__(self) -> str:
        return f"{self.resource} held by saga {self.saga_id}"


class TurnRow(models.Model):
    """A saga that waits for a lock. The lowest id of a resource comes next. If there is a turn, there is a hold."""

    id = models.BigAutoField(primary_key=True)
    resource = models.TextField()
    saga_id = models.UUIDField()
    step = models.TextField()
    since = models.DateTimeField(db_default=Now(), help_text="The saga's patience counts from here.")

    class Meta:
        abstract = True
        ordering = ("resource", "id")
        constraints = (models.UniqueConstraint(fields=("saga_id", "step"), name="%(app_label)s_turn_one_per_step"),)
        indexes = (models.Index(fields=("resource", "id"), name="%(app_label)s_turn_of_resource"),)

    def __str__(self) -> str:
        return f"saga {self.saga_id} waits for {self.resource}"


class GuardRow(models.Model):
    """The highest fencing token that was used on a resource in this service. A lower one is refused."""

    id = models.BigAutoField(primary_key=True)
    resource = models.TextField(unique=True)
    fence = models.BigIntegerField(help_text="It only grows.")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.resource} at fence {self.fence}"


@dataclass(frozen=True)
class LockTables:
    """A service's tables of locks. One that only acts under locks of other services has no `hold` and `turn`.

    A service with `hold` has a sequence, named by `fences`.
    """

    guard: type[GuardRow]
    hold: type[HoldRow] | None = None
    turn: type[TurnRow] | None = None

    @property
    def fences(self) -> str:
        """The sequence of the service's fencing tokens."""
        return f"{self.guard._meta.app_label}_fence"
