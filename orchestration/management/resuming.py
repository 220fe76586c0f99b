"""An operator's word to sagas: try again what is owed."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.conf import settings

from orchestration import engine, recovery, selectors
from orchestration.models import ALIAS, SagaInstance
from orchestration.sagas import UnknownDefinition
from orchestration.standing import PARKED, has_status
from orchestration.states import ENDED


class Outcome(StrEnum):
    RESUMED = "resumed"
    NOT_SENT = "not_sent"
    """It is written down, but the broker is away; recovery sends it when the broker is back."""
    ENDED = "ended"
    """Nothing is owed any more."""
    NOT_PARKED = "not_parked"
    """Somebody else has resumed it."""
    UNKNOWN = "unknown"
    """There is no such saga."""
    FAILED = "failed"


@dataclass(frozen=True)
class Word:
    """Who says it, and why; the saga log keeps both."""

    by: str
    reason: str


@dataclass(frozen=True)
class Resumption:
    """What became of one saga that was to be resumed."""

    saga_id: UUID
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True)
class Rounds:
    """What rounds of recovery came to: how often a saga was looked at, and how many are due still."""

    rounds: int
    looked_at: int
    due: int


def resume(saga_ids: Iterable[UUID], word: Word) -> Iterator[Resumption]:
    """Resume each saga; one that cannot be does not stop the others."""
    for saga_id in saga_ids:
        yield _resume(saga_id, word)


def resume_parked(word: Word) -> Iterator[Resumption]:
    """Resume every saga that is parked now. Doing it again, or from two hosts, finds them not parked any more."""
    parked = SagaInstance.objects.using(ALIAS).filter(has_status(PARKED)).order_by("created_at", "pk")
    for saga_id in list(parked.values_list("pk", flat=True)):
        instance = selectors.saga(saga_id)
        if instance and instance.parked:
            yield _resume(saga_id, word)
        else:
            yield Resumption(saga_id, Outcome.NOT_PARKED)


def due_sagas() -> int:
    """How many sagas wait for recovery to look at them."""
    return SagaInstance.objects.using(ALIAS).filter(due_at__lte=datetime.now(UTC)).count()


def recover(patience: timedelta) -> Rounds:
    """Run rounds of recovery until nothing is due, for as long as `patience`; at least one.

    More than one is needed where a message may be lost: a marker must come back first (`markers`).
    """
    until = time.monotonic() + patience.total_seconds()
    rounds = looked_at = 0
    while True:
        looked_at += recovery.run_once()
        rounds += 1
        due = due_sagas()
        if not due or time.monotonic() >= until:
            return Rounds(rounds, looked_at, due)
        time.sleep(settings.RECOVERY_PERIOD.total_seconds())


def _resume(saga_id: UUID, word: Word) -> Resumption:
    try:
        instance = engine.resume_saga(saga_id, by=word.by, reason=word.reason, now=datetime.now(UTC))
    except engine.NoSuchSaga as error:
        return Resumption(saga_id, Outcome.UNKNOWN, str(error))
    except UnknownDefinition as error:
        return Resumption(saga_id, Outcome.FAILED, str(error))
    if instance.phase in ENDED:
        return Resumption(saga_id, Outcome.ENDED, instance.phase)
    return Resumption(saga_id, Outcome.RESUMED if _was_sent(instance) else Outcome.NOT_SENT, instance.phase)


def _was_sent(instance: SagaInstance) -> bool:
    now = selectors.saga(instance.pk)
    return now is None or now.version != instance.version or now.in_flight
