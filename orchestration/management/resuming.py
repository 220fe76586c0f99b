"""An operator's word to sagas: try again what is owed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from orchestration import engine, selectors
from orchestration.models import SagaInstance
from orchestration.sagas import UnknownDefinition
from orchestration.states import ENDED


class Outcome(StrEnum):
    RESUMED = "resumed"
    NOT_SENT = "not_sent"
    """It is written down, but the broker is away; recovery sends it when the broker is back."""
    ENDED = "ended"
    """Nothing is owed any more."""
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


def resume(saga_ids: Iterable[UUID], word: Word) -> Iterator[Resumption]:
    """Resume each saga; one that cannot be does not stop the others."""
    for saga_id in saga_ids:
        yield _resume(saga_id, word)


def _resume(saga_id: UUID, word: Word) -> Resumption:
    try:
        instance = engine.resume_saga(saga_id, by=word.by, reason=word.reason, now=datetime.now(UTC))
    except engine.NoSuchSaga as error:
        return Resumption(saga_id, Outcome.UNKNOWN, str(error))
    except UnknownDefinition as error:
        return Resumption(saga_id, Outcome.FAILED, str(error))
    return _resumption(instance)


def outcome_of(saga_id: UUID) -> Resumption:
    """What has become of a saga that was to be resumed."""
    instance = selectors.saga(saga_id)
    return _resumption(instance) if instance else Resumption(saga_id, Outcome.UNKNOWN)


def _resumption(instance: SagaInstance) -> Resumption:
    saga_id = UUID(str(instance.pk))
    if instance.phase in ENDED:
        return Resumption(saga_id, Outcome.ENDED, instance.phase)
    return Resumption(saga_id, Outcome.RESUMED if _was_sent(instance) else Outcome.NOT_SENT, instance.phase)


def _was_sent(instance: SagaInstance) -> bool:
    now = selectors.saga(instance.pk)
    return now is None or now.version != instance.version or now.in_flight
