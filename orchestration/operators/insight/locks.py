"""The locks that sagas hold in all services, and the sagas that wait for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID

from orchestration.contracts.command import Action
from orchestration.contracts.order_changes import ORDER
from orchestration.db import deadline
from orchestration.db.connections import borrowed
from orchestration.db.sql import execute
from orchestration.engine import store
from orchestration.engine.selectors import SERVICES_READ_WITHIN
from orchestration.models import SagaInstance
from orchestration.operators.insight.sources import Unavailable, read
from orchestration.operators.insight.status import status_of, step_of
from orchestration.participant.lock_tables import HoldRow, TurnRow
from orchestration.participant.participant import Participant, participants

MOST_LOCKS = 200
"""The most locks of one service that are shown, those held longest first."""
MOST_TURNS = 1_000
"""The most waiting sagas of one service that are shown."""


@dataclass(frozen=True)
class LockTurn:
    """A saga's place in the queue of a lock. `saga` is its row, if there is one."""

    saga_id: UUID
    step: str
    since: datetime
    saga: SagaInstance | None = None


@dataclass(frozen=True)
class LockState:
    """A lock that a saga holds, and the sagas that wait for it, in the order in which they get it."""

    resource: str
    service: str
    holder: UUID
    step: str
    since: datetime
    fence: int
    turns: tuple[LockTurn, ...]
    saga: SagaInstance | None = None
    """The holder's row, if there is one."""

    @property
    def status(self) -> str:
        """The holder's status; empty if there is no such saga."""
        return status_of(self.saga).value if self.saga else ""

    @property
    def current_step(self) -> str:
        """The step at which the holder is now; empty if there is none or no such saga."""
        return step_of(self.saga) if self.saga else ""

    @property
    def last_error(self) -> str:
        """The holder's newest error; empty if there is none."""
        return self.saga.last_error if self.saga else ""

    @property
    def order_id(self) -> str:
        """The order that is locked; empty if the resource is another one."""
        name, _, value = self.resource.partition(":")
        return value if name == ORDER.name else ""


@dataclass(frozen=True)
class LockCount:
    """How many resources of one lock are held in a service, since when, and how many sagas wait for them."""

    lock: str
    held: int
    oldest_s: float
    waiting: int


@dataclass(frozen=True)
class LocksFound:
    """The locks that were read, those held longest first, and the services whose database does not answer."""

    locks: tuple[LockState, ...]
    down: tuple[Unavailable, ...] = ()
    is_more: bool = False
    """Whether some service has more than are shown."""


def services_with_locks() -> list[Participant]:
    """Return the services in which sagas may hold locks."""
    return [participant for participant in participants().values() if participant.locks and participant.locks.hold]


def locks(resource: str = "") -> LocksFound:
    """Read the locks of all services, or with `resource` that lock only."""
    with deadline.within(SERVICES_READ_WITHIN):
        found = [
            read(f"the database of {each.service}", partial(_of, each, resource)) for each in services_with_locks()
        ]
    held = [lock for each in found if not isinstance(each, Unavailable) for lock in each]
    shown = sorted(held, key=lambda lock: (lock.since, lock.resource))
    more = any(not isinstance(each, Unavailable) and len(each) > MOST_LOCKS for each in found)
    down = tuple(each for each in found if isinstance(each, Unavailable))
    return LocksFound(_with_sagas(shown[:MOST_LOCKS]), down, more)


def lock_counts(participant: Participant) -> list[LockCount]:
    """Count the locks of a service by the lock's name: those that its contracts declare, and any others that are held.

    :raises django.db.Error: when its database does not answer.
    """
    tables = participant.locks
    if tables is None or tables.hold is None or tables.turn is None:
        return []
    declared = {each.holds.name for each in participant.commands if isinstance(each, Action) and each.holds}
    with borrowed(participant.service):
        held = {lock: (count, oldest_s) for lock, count, oldest_s in _grouped(tables.hold, participant.service)}
        waiting = {lock: count for lock, count, _ in _grouped(tables.turn, participant.service)}
    return [
        LockCount(lock, *held.get(lock, (0, 0.0)), waiting.get(lock, 0))
        for lock in sorted(declared | held.keys() | waiting.keys())
    ]


def _grouped(model: type[HoldRow] | type[TurnRow], alias: str) -> list[tuple[str, int, float]]:
    """Return the lock's name, the number of rows, and the age of the oldest row in seconds, for each lock."""
    counted = (
        "SELECT split_part(resource, ':', 1), count(*), extract(epoch FROM now() - min(since))::float8 "
        f'FROM "{model._meta.db_table}" GROUP BY 1'
    )
    return [tuple(row) for row in execute(alias, counted)]


def _of(participant: Participant, resource: str) -> list[LockState]:
    locks_of_service = participant.rows.locks
    with borrowed(participant.service):
        holds = locks_of_service.held(resource or None, limit=MOST_LOCKS + 1)
        turns = locks_of_service.queued(resource or None, limit=MOST_TURNS)
    queues: dict[str, list[LockTurn]] = {}
    for turn in turns:
        queues.setdefault(turn.resource, []).append(LockTurn(turn.saga_id, turn.step, turn.since))
    return [
        LockState(
            hold.resource,
            participant.service,
            hold.saga_id,
            hold.step,
            hold.since,
            hold.fence,
            tuple(queues.get(hold.resource, ())),
        )
        for hold in holds
    ]


def _with_sagas(found: Sequence[LockState]) -> tuple[LockState, ...]:
    """Add the rows of the sagas that hold these locks and wait for them."""
    ids = {lock.holder for lock in found} | {turn.saga_id for lock in found for turn in lock.turns}
    sagas: Mapping[UUID, SagaInstance] = store.find(ids) if ids else {}
    return tuple(
        replace(
            lock,
            saga=sagas.get(lock.holder),
            turns=tuple(replace(turn, saga=sagas.get(turn.saga_id)) for turn in lock.turns),
        )
        for lock in found
    )
