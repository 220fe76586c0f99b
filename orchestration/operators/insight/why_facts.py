"""The values of the why line: the facts that it is decided from, and the result."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from orchestration.operators.insight.breakers import BreakerNow
from orchestration.operators.insight.db_locks import Blocked
from orchestration.operators.insight.dead_letters import DeadLetter
from orchestration.operators.insight.lock_waits import LockWaitNow
from orchestration.operators.insight.message_position import MessagePosition
from orchestration.operators.insight.queues import QueueNow
from orchestration.operators.insight.sources import Unavailable
from orchestration.operators.insight.status import SagaStatus

UNTIL_OPERATOR = "Nothing happens until an operator acts."


class Cause(StrEnum):
    """Why a saga does not move, for programs; admin and commands may choose a colour by it."""

    ENDED = "ended"
    LACKS_DEFINITION = "lacks_definition"
    PAUSED = "paused"
    PARKED = "parked"
    DEAD_LETTER = "dead_letter"
    RECOVERY_OVERDUE = "nobody_looks"
    BROKER_AWAY = "broker_away"
    BREAKER_OPEN = "breaker_open"
    RETRY = "retry"
    DUE = "due"
    DATABASE_DOWN = "database_down"
    LOCKED = "locked"
    LOCK_HELD = "lock_held"
    QUEUE_MISSING = "queue_missing"
    NO_CONSUMER = "no_consumer"
    IN_QUEUE = "in_queue"
    EXTERNAL_CALL = "called_outside"
    UNDER_WAY = "under_way"


@dataclass(frozen=True)
class Why:
    """Why a saga does not move (`sentence`), and what happens next automatically (`next`).

    `unread` names the sources that could not be read.
    """

    sentence: str
    cause: Cause
    next: str
    step: str = ""
    evidence: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def needs_a_person(self) -> bool:
        """Whether nothing happens until an operator acts."""
        return self.next == UNTIL_OPERATOR


@dataclass(frozen=True)
class LogReport:
    """The newest log entry of its kind about a step."""

    step: str
    at: datetime
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """All facts that the causes are decided from, for one saga at one moment."""

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
    where: MessagePosition | None = None
    """None when nothing is pending, or when this code lacks the definition."""
    knows_definition: bool = True
    failed: LogReport | None = None
    """The newest failed try of the failing step, or its newest wait."""
    parked: tuple[LogReport, ...] = ()
    paused: LogReport | None = None
    database: Unavailable | None = None
    """Set when the database of the service that the message has reached does not answer."""
    queue: QueueNow | Unavailable | None = None
    reports: QueueNow | Unavailable | None = None
    """The orchestrator's own queue, which reports go to."""
    breaker: BreakerNow | Unavailable | None = None
    dead_letters: tuple[DeadLetter, ...] | Unavailable = ()
    """Dead letters of the message that was sent last."""
    lock: LockWaitNow | None = None
    """The lock that the saga waits for. None while its message waits for the broker."""
    retried_by: UUID | None = None
    """The saga that does the work of this one again."""
    blocked: tuple[Blocked, ...] | Unavailable = ()
    """Database sessions that wait for a lock and may work for this saga."""
