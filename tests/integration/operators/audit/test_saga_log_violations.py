"""A5 seen to fail. Two entries of one number the database itself refuses, as the last test shows."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import IntegrityError
from django.db.models import F

from orchestration.models import SagaInstance, SagaLogEntry
from tests.integration.operators.audit.conftest import Found

LOG = SagaLogEntry.objects


def append(saga_id: UUID, kind: str, phase: str, token: int = 99) -> None:
    """Write one more entry, and have the saga know of it."""
    SagaInstance.objects.filter(pk=saga_id).update(log_length=F("log_length") + 1, token=token)
    sequence = SagaInstance.objects.get(pk=saga_id).log_length
    now = datetime.now(UTC)
    LOG.create(saga_id=saga_id, sequence=sequence, kind=kind, phase=phase, token=token, at=now)


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lambda saga: LOG.all().delete(), "The saga has no log."),
        (lambda saga: LOG.filter(sequence=2).delete(), "The log is not numbered 1 to 7 without a gap."),
        (lambda saga: LOG.filter(sequence=7).delete(), "The saga is completed and its log does not end so."),
        (lambda saga: LOG.filter(sequence=1).update(kind="sent"), "The log does not begin with its only start."),
        (lambda saga: LOG.filter(sequence=3).update(kind="started"), "The log does not begin with its only start."),
        (lambda saga: LOG.filter(sequence=2).update(token=7), "Entry 3 goes back from token 7 to 1."),
        (
            lambda saga: LOG.filter(sequence=3).update(phase="completed"),
            "Entry 4 goes from phase completed to running.",
        ),
        (
            lambda saga: LOG.filter(sequence=3).update(phase="compensating"),
            "Entry 4 goes from phase compensating to running.",
        ),
        (lambda saga: append(saga, "sent", "completed"), "Entry 8 follows the end."),
        (
            lambda saga: SagaInstance.objects.update(token=3),
            "The log ends completed at token 1, the saga is completed at 3.",
        ),
        (
            lambda saga: SagaInstance.objects.update(phase="finishing", ended_at=None, due_at=datetime.now(UTC)),
            "The log has ended and the saga is finishing.",
        ),
    ],
)
def test_a_log_that_cannot_be_is_found(
    completed: UUID, found: Found, tamper: Callable[[UUID], object], said: str
) -> None:
    tamper(completed)
    assert said in found("A5")


def test_the_database_refuses_two_entries_of_one_number(completed: UUID) -> None:
    with pytest.raises(IntegrityError, match="saga_log_one_entry_per_number"):
        LOG.filter(sequence=3).update(sequence=2)
