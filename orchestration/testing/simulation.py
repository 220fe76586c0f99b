"""A simulated deployment: the real engine, recovery, messages and participant kit, on stores in memory."""

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError as DatabaseError
from kombu.exceptions import OperationalError as BrokerError

from orchestration.contracts.codec import Malformed
from orchestration.contracts.command import Action
from orchestration.db.transactions import TRIES
from orchestration.engine import reports
from orchestration.engine.engine import Engine, Origin
from orchestration.engine.markers import PASS, RETURNED
from orchestration.engine.recovery import Recovery
from orchestration.execution.results import Ending, MakeWork, encodable
from orchestration.execution.scheduler import INLINE
from orchestration.failpoints import FailpointKind, cross
from orchestration.messaging.canvas import Message
from orchestration.models import Deadlock
from orchestration.participant.executor import works_of
from orchestration.participant.ledger import Status
from orchestration.participant.lock_store import HeldLock
from orchestration.protocol.events import CancelRequested, Unpaused
from orchestration.protocol.saga import Saga
from orchestration.protocol.transitions import Contradiction, TooLate
from orchestration.testing.clock import Clock
from orchestration.testing.fakes import Fake, Script, services_for
from orchestration.testing.faults import Crash, Disturbance
from orchestration.testing.memory_broker import Network, Waiting
from orchestration.testing.memory_ledger import MemoryRows
from orchestration.testing.memory_store import MemoryStore

ROUNDS = 400
"""How often time may pass until everything has ended: an hour of retries, with a margin."""


class Stuck(AssertionError):
    """Sagas have not ended although no fault is left."""


@dataclass(frozen=True)
class Scenario:
    """A saga definition to simulate, and the request of each saga: a value, or a function that makes one at random.

    `weight` says how often it is placed, compared to the other scenarios of a world.
    """

    saga: Saga
    request: Any
    weight: float = 1

    def make_request(self, chance: random.Random) -> Any:
        """Return the request of one saga."""
        return self.request(chance) if callable(self.request) else self.request


class Scripts(dict[UUID, Script]):
    """The script of each saga. A saga that tries the work of another one again has the same script."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self._store = store

    def __missing__(self, saga_id: UUID) -> Script:
        retry_of = self._store.sagas[saga_id].retry_of
        if retry_of is None:
            raise KeyError(saga_id)
        return self[retry_of]


class World:
    """Runs sagas of some definitions. Only `deliver`, `recover`, `place` and `cancel` do anything, one at a time."""

    def __init__(
        self, scenarios: Sequence[Scenario], fakes: Mapping[str, Fake], disturbance: Disturbance, seed: int = 0
    ) -> None:
        random.seed(seed)  # the engine's jitter
        self.scenarios, self.fakes = scenarios, fakes
        self._definitions = {scenario.saga.name: scenario.saga for scenario in scenarios}
        self.clock = Clock()
        self.store = MemoryStore(self.clock, self._see_deadlock)
        self.scripts = Scripts(self.store)
        self.services = services_for(self._definitions.values(), fakes, self.clock, self.scripts, self._see_effect)
        self.network = Network(self.clock, self._definition_of, disturbance.fate)
        self.engine = Engine(self.store, self.network, self._definition_of)
        self.recovery = Recovery(self.engine, self)
        self.contradictions: list[str] = []
        """What happened that must not happen, in words."""
        self._fences: dict[tuple[str, str], int] = {}
        """The highest fencing token that an effect has used, by service and resource."""
        self.settled: set[tuple[UUID, str]] = set()
        """Sagas and steps that an operator has settled at the external system."""
        self._works: dict[str, MakeWork] = {}
        for service in self.services.values():
            self._works |= works_of(service.participant)
        self._ids = itertools.count(1)
        self._markers_sent: dict[str, datetime] = {}

    def place(self, script: Script, scenario: Scenario | None = None) -> UUID:
        """Start a saga as a client does: retry under the same key until there is an answer.

        Without `scenario`, the saga is one of the first scenario.
        """
        saga_id = UUID(int=next(self._ids))
        scenario = scenario or self.scenarios[0]
        request = scenario.make_request(random.Random(saga_id.int))
        self.scripts[saga_id] = script
        origin = Origin("customer", str(saga_id), "hash")
        while True:
            try:
                started = self.engine.start_saga(
                    scenario.saga, request, saga_id=saga_id, origin=origin, now=self.clock()
                )
            except (Crash, DatabaseError):
                continue
            return started.saga_id

    def saga_of(self, saga_id: UUID) -> Saga:
        """Return the definition of a saga that was placed."""
        return self._definitions[self.store.sagas[saga_id].definition]

    def cancel(self, saga_id: UUID) -> None:
        """Cancel a saga. It may be too late for that."""
        try:
            self._repeated(lambda: self.engine.apply(saga_id, CancelRequested(), now=self.clock()))
        except (Crash, DatabaseError, TooLate):
            return

    def resume(self, saga_id: UUID) -> None:
        """Resume a saga, as an operator does."""
        try:
            self.engine.resume_saga(saga_id, by="the simulation", reason="a test", now=self.clock())
        except (Crash, DatabaseError):
            return

    def recover(self) -> None:
        """Run one round of recovery, which may be killed."""
        try:
            self.recovery.run_once(clock=self.clock)
        except (Crash, DatabaseError):
            return

    def deliver(self, waiting: Waiting) -> None:
        """Run this message as a worker does. If the worker dies before the ack, or cannot publish, it waits again."""
        self.network.waiting.remove(waiting)
        message = waiting.message
        try:
            self._work_on(message)
            cross(FailpointKind.ACK, message.task, message.sagas, waiting.ack)
        except (Crash, BrokerError):
            if not waiting.is_acked:
                self.network.waiting.append(waiting)

    def run_until_ended(self) -> None:
        """Deliver, recover and let time pass until every saga has ended and nothing is under way.

        :raises Stuck: when they do not end.
        """
        for _ in range(ROUNDS):
            while ready := self.network.ready():
                self.deliver(ready[0])
            self.recover()
            if self.network.ready():
                continue
            if not self.store.unfinished() and not self._is_anything_on_its_way():
                return
            self._resume_parked()
            self.clock.advance(self._until_something_happens())
        raise Stuck(f"{len(self.store.unfinished())} sagas have not ended: {self.store.unfinished()}")

    def send(self, route: str, queues: list[str], *, now: datetime) -> bool:
        """Send a marker, as `markers.send` does."""
        sent_at = self._markers_sent.get(route)
        if sent_at is not None and now - sent_at < settings.MARKER_PERIOD:
            return False
        self._markers_sent[route] = now
        self.network.publish(_marker(PASS, route, now.isoformat(), len(queues)))
        return True

    def confirm(self) -> None:
        """Do nothing: a simulated process holds one message at a time, so a marker overtakes none."""

    def _work_on(self, message: Message) -> None:
        if message.task in self._works:
            self._run_step(message)
        elif message.task == PASS:
            self._pass_marker(message)
        elif message.task == RETURNED:
            self.store.marker_returned(message.kwargs["route"], datetime.fromisoformat(message.kwargs["sent_at"]))
        else:
            self._apply_report(message)

    def _run_step(self, message: Message) -> None:
        """Run a step as a worker does: with the kit's work, and then publish what follows."""
        endings: list[Ending] = []
        if rest := self._works[message.task](endings.extend, INLINE)([message]):
            rest()
        [ending] = map(encodable, endings)
        for each in ending.messages:
            self.network.publish(each)

    def _publish_or_not(self, message: Message) -> bool:
        try:
            self.network.publish(message)
        except BrokerError:
            return False
        return True

    def _pass_marker(self, message: Message) -> None:
        left = message.kwargs["left"] - 1
        task = PASS if left > 0 else RETURNED
        self._publish_or_not(_marker(task, message.kwargs["route"], message.kwargs["sent_at"], left))

    def _apply_report(self, message: Message) -> None:
        try:
            report = reports.read(message.task, message.args, message.kwargs)
            self._repeated(
                lambda: self.engine.apply(report.saga_id, report.event, now=self.clock(), known=report.known)
            )
        except (Contradiction, Malformed) as error:
            self.contradictions.append(f"{message.task}: {error}")
        except DatabaseError:
            return  # the report is lost; recovery dispatches the saga again

    def _repeated(self, work: Any) -> Any:
        for _ in range(TRIES - 1):
            try:
                return work()
            except DatabaseError:
                continue
        return work()

    def _resume_parked(self) -> None:
        for saga in self.store.unfinished():
            if saga.paused:
                self.engine.apply(saga.pk, Unpaused("the simulation", "it is over"), now=self.clock())
            elif saga.due_at is None:
                self.resume(saga.pk)

    def _is_anything_on_its_way(self) -> bool:
        for service in self.services.values():
            service.book.let_arrive()
        return bool(self.network.waiting or any(service.book.on_their_way for service in self.services.values()))

    def _until_something_happens(self) -> timedelta:
        now, dues = self.clock(), [saga.due_at for saga in self.store.unfinished() if saga.due_at]
        if any(due <= now for due in dues):
            return settings.MARKER_PERIOD  # it is overdue: the next marker proves its message lost
        arrivals = [at for service in self.services.values() for at, *_ in service.book.on_their_way]
        times = dues + arrivals + [waiting.at for waiting in self.network.waiting]
        return max(min(times, default=now) - now, timedelta(seconds=1))

    def _see_effect(self, action: Action, request: Any) -> None:
        """Check that an action under a lock has its effect while its saga holds the lock, and with the newest fence."""
        lock = action.under
        if lock is None:
            return
        resource, fence = f"{lock.name}:{getattr(request, lock.by)}", getattr(request, lock.fence_field)
        hold = self._holds().get(resource)
        if hold is None or hold.saga_id != request.saga_id:
            self.contradictions.append(f"saga {request.saga_id}: {action.name} without the lock on {resource}")
        if fence < self._fences.get((action.service, resource), fence):
            self.contradictions.append(f"saga {request.saga_id}: {action.name} with an old fence of {resource}")
        self._fences[action.service, resource] = fence

    def _see_deadlock(self, deadlock: Deadlock) -> None:
        """Check that each saga waits for a lock that the next one holds. One just refused counts as waiting."""
        holds = self._holds()
        queued = {(each.resource, each.saga_id) for rows in self._rows() for each in rows.locks.queued()}
        kept = itertools.chain.from_iterable(rows.ledger.items() for rows in self._rows())
        refused = {saga_id for (saga_id, _), each in kept if each.row.status == Status.REFUSED}
        waits = list(zip(deadlock.cycle, deadlock.resources, strict=True))
        for (saga_id, resource), (following, _) in zip(waits, waits[1:] + waits[:1], strict=True):
            saga_id, following = UUID(str(saga_id)), UUID(str(following))
            if saga_id in refused:
                continue
            if (resource, saga_id) not in queued or holds[resource].saga_id != following:
                self.contradictions.append(f"no deadlock: saga {saga_id} does not wait for saga {following}")

    def _holds(self) -> dict[str, HeldLock]:
        return {each.resource: each for rows in self._rows() for each in rows.locks.held()}

    def _rows(self) -> list[MemoryRows]:
        return [service.rows for service in self.services.values()]

    def _definition_of(self, name: str) -> Saga:
        return self._definitions[name]


def _marker(task: str, route: str, sent_at: str, left: int) -> Message:
    """Return a marker's message. `left` counts the queues that it has yet to pass."""
    return Message(task, "marker", "marker", (), {"route": route, "sent_at": sent_at, "left": left})
