"""The lock that a saga waits for, with what its holder does, and the sagas that wait for one saga."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.insight.status import SagaStatus, attempt_of, status_of, step_of
from orchestration.protocol.states import LockWait
from orchestration.text import formatting

MOST_WAITERS = 20
"""The most waiting sagas that one saga shows, the first to wait first."""


class Waiter(NamedTuple):
    """A saga that waits for a lock of another one."""

    saga_id: UUID
    definition: str
    resource: str
    since: datetime | None


@dataclass(frozen=True)
class LockWaitNow:
    """The wait of a saga for a lock. `until` is when its patience is over, or its deadline if that is earlier.

    `before` is the number of other waiting sagas that get the lock earlier. `holder` is None if its row was purged.
    """

    wait: LockWait
    until: datetime
    before: int
    holder: SagaInstance | None

    def sentence(self, now: datetime) -> str:
        """Describe the lock that the saga waits for, its holder, and what the holder does."""
        waited = formatting.span(now - self.wait.since)
        doing = f" ({self.holder.definition}, {_work_of(self.holder, now)})" if self.holder else ""
        verb = "is" if self.before == 1 else "are"
        queue = f"; {formatting.count(self.before, 'saga')} {verb} before it" if self.before else ""
        lock = lock_text(self.wait.resource)
        return f"{self.wait.step} has waited {waited} for {lock}, held by saga {self.wait.holder}{doing}{queue}."

    def next(self, now: datetime) -> str:
        """Describe when the wait ends."""
        if self.until <= now:
            return "Its patience is over: it asks once more, and is refused if the lock is still held."
        at = formatting.time_of_day(self.until, now)
        return f"It continues when it gets the lock. If it does not by {at}, it is refused."


def waiters_of(saga_id: UUID) -> tuple[Waiter, ...]:
    """Return the sagas that wait for a lock of this one, the first to wait first, and no more than `MOST_WAITERS`."""
    waiting = SagaInstance.objects.using(ALIAS).filter(waits_for=saga_id).order_by("waits_since", "pk")
    rows = waiting.values_list("pk", "definition", "waits_on", "waits_since")[:MOST_WAITERS]
    return tuple(Waiter(*row) for row in rows)


def lock_text(resource: str) -> str:
    """Return a resource as people read it, such as "order 0198…"."""
    return resource.replace(":", " ", 1)


def _work_of(holder: SagaInstance, now: datetime) -> str:
    """Say what the holder of a lock does, such as "give_back failed 3 times, next try 14:02:11"."""
    step, status = step_of(holder), status_of(holder)
    match status:
        case SagaStatus.COMPLETED | SagaStatus.COMPENSATED | SagaStatus.PAUSED:
            return status.value
        case SagaStatus.PARKED:
            return f"{step} is parked"
        case SagaStatus.WAITING if holder.waits_for:
            return f"{step} waits for {lock_text(holder.waits_on)}"
        case SagaStatus.WAITING:
            return f"{step or 'it'} waits"
        case SagaStatus.RETRYING:
            tries = formatting.count(holder.failed_tries, "time")
            return f"{step} failed {tries}{_next_try(holder, now)}"
        case SagaStatus.GIVING_UP:
            return f"barring {step}"
        case SagaStatus.COMPENSATING:
            return f"compensating {step}"
        case _:
            return f"executing {step}"


def _next_try(holder: SagaInstance, now: datetime) -> str:
    attempt = attempt_of(holder)
    return f", next try {formatting.time_of_day(attempt.next_at, now)}" if attempt and attempt.next_at else ""
