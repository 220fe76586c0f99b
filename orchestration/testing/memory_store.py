"""Saga rows, their log and the markers in memory."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from copy import copy
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError

from orchestration import failpoints
from orchestration.engine import markers
from orchestration.engine.row_mapping import undelivered
from orchestration.engine.store import NewSaga, RowChange, Taken, Then
from orchestration.failpoints import Failpoint, FailpointKind
from orchestration.models import Deadlock, SagaInstance, SagaLogEntry
from orchestration.protocol.states import ENDED, Phase


class MemoryStore:
    """A `Store` for one thread. Each call is a transaction."""

    def __init__(self, clock: Callable[[], datetime], see: Callable[[Deadlock], None] = lambda deadlock: None) -> None:
        self._clock = clock
        self._see = see
        self.sagas: dict[UUID, SagaInstance] = {}
        self.log: dict[UUID, list[SagaLogEntry]] = defaultdict(list)
        self.deadlocks: dict[UUID, Deadlock] = {}
        """The deadlocks that were ended, by victim."""
        self.markers: dict[str, datetime] = {}
        """When the newest returned marker was sent, by route."""

    def find(self, saga_ids: Collection[UUID]) -> dict[UUID, SagaInstance]:
        return {saga_id: copy(self.sagas[saga_id]) for saga_id in saga_ids if saga_id in self.sagas}

    def find_by_key(self, customer_id: str, idempotency_key: str) -> SagaInstance | None:
        return next((copy(saga) for saga in self._of_key(customer_id, idempotency_key)), None)

    def waits_around(self, saga_ids: Collection[UUID] | None, *, limit: int) -> list[SagaInstance]:
        waiting = {saga.pk: saga for saga in self.sagas.values() if saga.waits_for}
        ahead = [*(waiting if saga_ids is None else saga_ids)]
        found: dict[UUID, SagaInstance] = {}
        while ahead:
            saga_id = ahead.pop()
            if (saga := waiting.get(saga_id)) and saga_id not in found and saga.waits_for:
                found[saga_id] = copy(saga)
                ahead.append(saga.waits_for)
        return [*found.values()][:limit]

    def insert(self, instance: SagaInstance, entries: Sequence[SagaLogEntry], *, then: Then | None) -> None:
        if any(self._of_key(instance.customer_id, instance.idempotency_key)):
            raise IntegrityError("saga_one_per_customer_and_idempotency_key")
        failpoint = Failpoint(FailpointKind.START, instance.definition, [instance.pk])
        failpoints.before(failpoint)
        self.sagas[instance.pk] = copy(instance)
        self.log[instance.pk].extend(entries)
        self._committed(failpoint, then)

    def compare_and_set(self, changes: Sequence[RowChange], *, about: str, then: Taken | None) -> set[UUID]:
        if not any(self._unchanged(change.instance) for change in changes):
            return set()
        failpoint = Failpoint(FailpointKind.DECIDE, about, [change.instance.pk for change in changes])
        failpoints.before(failpoint)
        taken = set()
        for change in changes:
            if kept := self._unchanged(change.instance):
                for name, value in change.columns.items():
                    setattr(kept, name, value)
                self.log[kept.pk].extend(change.entries)
                self._end_deadlock(change.deadlock, change.successor)
                taken.add(kept.pk)
        self._committed(failpoint, partial(then, taken) if then and taken else None)
        return taken

    def mark_undelivered(self, instance: SagaInstance, after: timedelta) -> None:
        if kept := self._unchanged(instance):
            for name, value in undelivered(instance).items():
                setattr(kept, name, value)
            kept.due_at = self._clock() + after

    def bring_forward(self, now: datetime, horizon: datetime) -> int:
        wrong = [saga for saga in self.sagas.values() if saga.due_at is not None and saga.due_at > horizon]
        for saga in wrong:
            saga.due_at, saga.dispatched_at = now, min(saga.dispatched_at, now)
        return len(wrong)

    def is_any_due(self, now: datetime) -> bool:
        return any(True for _ in self._due(now))

    def claim_due(self, now: datetime, limit: int) -> list[SagaInstance]:
        ready = [saga for saga in self._due(now) if self._is_to_be_looked_at(saga, now)]
        batch = sorted(ready, key=lambda saga: saga.due_at or now)[:limit]
        failpoint = Failpoint(FailpointKind.LEASE, "recovery", [saga.pk for saga in batch])
        failpoints.before(failpoint)
        claimed = [copy(saga) for saga in batch]
        for saga in batch:
            saga.due_at = now + settings.PRESUMED_LOST_AFTER
        failpoints.after(failpoint)
        return claimed

    def without_report(self, now: datetime) -> set[tuple[str, str]]:
        return {(saga.definition, saga.phase) for saga in self._due(now) if saga.in_flight}

    def unfinished(self) -> list[SagaInstance]:
        """Return every saga that has not ended."""
        return [saga for saga in self.sagas.values() if saga.phase not in ENDED]

    def marker_returned(self, route: str, sent_at: datetime) -> None:
        """Record that a marker of the route came back. Keep the time of the newest."""
        self.markers[route] = max(sent_at, self.markers.get(route, sent_at))

    def _end_deadlock(self, deadlock: Deadlock | None, successor: NewSaga | None) -> None:
        if deadlock:
            self._see(deadlock)
            self.deadlocks[deadlock.pk] = deadlock
        if successor:
            self.sagas[successor.instance.pk] = copy(successor.instance)
            self.log[successor.instance.pk].extend(successor.entries)
            if successor.instance.retry_of in self.deadlocks:
                self.deadlocks[successor.instance.retry_of].successor_id = successor.instance.pk

    def _is_to_be_looked_at(self, saga: SagaInstance, now: datetime) -> bool:
        if not saga.in_flight or (saga.phase == Phase.RUNNING and saga.deadline_at <= now):
            return True
        overtaken = self.markers.get(markers.route_of(saga.definition, saga.phase))
        if overtaken is None or overtaken > now + settings.MARKER_HEAD_START:
            return False
        return saga.dispatched_at <= overtaken - settings.MARKER_HEAD_START

    def _due(self, now: datetime) -> Iterator[SagaInstance]:
        return (saga for saga in self.sagas.values() if saga.due_at is not None and saga.due_at <= now)

    def _of_key(self, customer_id: str, key: str) -> Iterator[SagaInstance]:
        return (saga for saga in self.sagas.values() if (saga.customer_id, saga.idempotency_key) == (customer_id, key))

    def _unchanged(self, instance: SagaInstance) -> SagaInstance | None:
        kept = self.sagas.get(instance.pk)
        if kept is None or (kept.phase, kept.version) != (instance.phase, instance.version):
            return None
        return kept

    def _committed(self, failpoint: Failpoint, then: Then | None) -> None:
        failpoints.after(failpoint)
        if then is not None:
            then()
