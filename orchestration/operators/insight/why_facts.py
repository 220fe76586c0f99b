"""What a why line is decided from, and what it says: values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from orchestration.operators.insight.breakers import BreakerNow
from orchestration.operators.insight.db_locks import Blocked
from orchestration.operators.insight.dead_letters import DeadLetter
from orchestration.operators.insight.queues import QueueNow
from orchestration.operators.insight.sources import Unavailable
from orchestration.operators.insight.status import SagaStatus
from orchestration.operators.insight.whereabouts import Whereabouts

UNTIL_A_PERSON = "Nothing happens until an operator acts."


class Cause(StrEnum):
    """Why it does not move; the words that admin and commands may choose a colour by."""

    ENDED = "ended"
    LACKS_DEFINITION = "lacks_definition"
    PAUSED = "paused"
    PARKED = "parked"
    DEAD_LETTER = "dead_letter"
    NOBODY_LOOKS = "nobody_looks"
    BROKER_AWAY = "broker_away"
    BREAKER_OPEN = "breaker_open"
    RETRY = "retry"
    DUE = "due"
    DATABASE_DOWN = "database_down"
    LOCKED = "locked"
    QUEUE_MISSING = "queue_missing"
    NO_CONSUMER = "no_consumer"
    IN_QUEUE = "in_queue"
    CALLED_OUTSIDE = "called_outside"
    UNDER_WAY = "under_way"


@dataclass(frozen=True)
class Why:
    """`sentence` says why, `next` what happens by itself; `unread` are the sources that could not be asked."""

    sentence: str
    cause: Cause
    next: str
    step: str = ""
    evidence: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def needs_a_person(self) -> bool:
        """Whether nothing happens until an operator acts."""
        return self.next == UNTIL_A_PERSON


@dataclass(frozen=True)
class LogReport:
    """What the newest log entry of its kind says of a step, and when."""

    step: str
    at: datetime
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """Everything that a cause is told by, for one saga at one moment."""

    now: datetime
    status: SagaStatus
    definition: str
    phase: str
    in_flight: bool
    dispatched_at: datetime
    due_at: datetime | None
    deadline_at: datetime
    ended_at: datetime | None
    failed_tries: int
    failing_step: str
    recovery_period: timedelta
    where: Whereabouts | None = None
    """None when nothing is pending, or this code cannot know what is."""
    knows_definition: bool = True
    failed: LogReport | None = None
    """The newest failed try, or wait, of the failing step."""
    parked: tuple[LogReport, ...] = ()
    paused: LogReport | None = None
    database: Unavailable | None = None
    """Set when the database of the service where it is now does not answer."""
    queue: QueueNow | Unavailable | None = None
    reports: QueueNow | Unavailable | None = None
    """The orchestrator's own queue."""
    breaker: BreakerNow | Unavailable | None = None
    dead_letters: tuple[DeadLetter, ...] | Unavailable = ()
    """Dead letters of what was sent last."""
    blocked: tuple[Blocked, ...] | Unavailable = ()
    """Sessions that wait for a lock and may work for this saga."""
