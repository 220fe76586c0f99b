"""The record of deadlocks that were ended."""

from django.db import models
from django.db.models import Q


class Deadlock(models.Model):
    """A deadlock among sagas: who waited for whom, which saga was given up, and why this one."""

    victim_id = models.UUIDField(primary_key=True)
    """The saga that was given up. A saga is given up once, so each deadlock is on record once."""
    cycle = models.JSONField()
    """The ids of the sagas. Each waits for the next one, and the last for the first."""
    resources = models.JSONField()
    """The resource that each of them waits for, in the same order."""
    definitions = models.JSONField()
    """The name of the definition of each of them, in the same order."""
    reason = models.TextField()
    """Why this saga was given up and not another one of the cycle."""
    successor_id = models.UUIDField(null=True, unique=True)
    """The saga that does the victim's work again. Null while the victim is being compensated, and if there is none."""
    found_at = models.DateTimeField()

    class Meta:
        constraints = (models.CheckConstraint(condition=~Q(reason=""), name="deadlock_has_a_reason"),)
        indexes = (models.Index(fields=("-found_at",), name="deadlock_newest_first"),)

    @property
    def waits(self) -> list[tuple[str, str, str]]:
        """The members of the cycle: saga id, name of the definition, and resource that it waits for."""
        return list(zip(self.cycle, self.definitions, self.resources, strict=True))

    def __str__(self) -> str:
        return f"deadlock ended by giving up saga {self.victim_id}"
