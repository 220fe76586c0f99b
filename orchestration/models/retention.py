"""What is left of a saga that was purged."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class PurgedSaga(models.Model):
    """A saga that there was. Services' rows may still name it; its ledger rows go after it."""

    id = models.UUIDField(primary_key=True)
    definition = models.TextField()
    phase = models.TextField()
    ended_at = models.DateTimeField()
    purged_at = models.DateTimeField(db_default=Now())
    has_ledger_rows = models.BooleanField(default=True)
    """Whether services may still remember steps of it."""

    class Meta:
        indexes = (
            models.Index(fields=("id",), name="purged_with_ledger_rows", condition=Q(has_ledger_rows=True)),
            models.Index(fields=("purged_at",), name="purged_lately"),
        )

    def __str__(self) -> str:
        return f"{self.definition} {self.id}, purged"
