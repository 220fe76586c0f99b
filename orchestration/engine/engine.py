"""Applies events to sagas: read the row, decide, compare-and-set, log, dispatch after the commit."""

import logging
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from orchestration import signals
from orchestration.db import clocks
from orchestration.engine import dispatch, store
from orchestration.engine.dispatch import Broker, BrokerAway
from orchestration.engine.row_mapping import (
    Origin,
    columns_after,
    deadlock_of,
    log_entries,
    new_instance,
    state_of,
    successor_of,
    with_columns,
)
from orchestration.engine.saga_event import SagaEvent
from orchestration.engine.store import KeyInProgress, NewSaga, RowChange, Store
from orchestration.models import SagaInstance
from orchestration.protocol.deadlocks import is_retried
from orchestration.protocol.events import CancelRequested, DeadlockFound, Event, Resumed
from orchestration.protocol.next_command import forward
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Command, Entry, Kind
from orchestration.protocol.transitions import Contradiction, TooLate, decide
from orchestration.sagas import UnknownDefinition, definition_of

__all__ = ["KeyInProgress", "Origin"]

logger = logging.getLogger(__name__)

NOTHING: Mapping[str, Any] = {}


class NoSuchSaga(LookupError):
    """No saga has this id."""


class ChangedMeanwhile(Exception):
    """The saga has changed since it was read."""


class KeyReused(Exception):
    """The customer has used this idempotency key for another request."""


class NotRegistered(LookupError):
    """No saga definition, or another one, is registered under this name. The engine could not continue the saga."""


class WrongRequestType(TypeError):
    """The request is not of the type that the saga definition requires."""


@dataclass(frozen=True)
class Started:
    """A saga that was started now (`created`), or by an earlier request with the same key."""

    saga_id: UUID
    created: bool


@dataclass(frozen=True)
class _Move:
    """The result of a decision for a saga: the change to write, the saga after it, and the command to send."""

    change: RowChange
    decided: SagaInstance
    command: Command | None


@dataclass(frozen=True)
class Engine:
    """Applies events to sagas. `store` keeps the sagas, and `broker` takes their commands."""

    store: Store
    broker: Broker
    definition_of: Callable[[str], Saga]

    def start_saga(self, saga: Saga, request: Any, *, saga_id: UUID, origin: Origin, now: datetime) -> Started:
        """Write the saga and dispatch it after the commit. Every saga starts here.

        If the broker is down, the call succeeds nevertheless: recovery dispatches the saga later. If the customer has
        already sent the same key and request, return the saga of that request.

        :raises NotRegistered: when this definition is not registered under its name.
        :raises WrongRequestType: when the request is not of the definition's type.
        :raises KeyReused: when the customer used the key for a request with another hash.
        :raises KeyInProgress: when another process is accepting the same key at this moment.
        """
        self._check_registered(saga)
        if not isinstance(request, saga.request):
            raise WrongRequestType(f"{saga.name} requires {saga.request.__name__}, not {type(request).__name__}")
        instance = new_instance(saga, request, saga_id, origin, now)
        entries = log_entries(instance, (Entry(Kind.STARTED),), first=1, now=now)
        try:
            self.store.insert(instance, entries, then=lambda: self._send(instance, forward(saga, state_of(instance))))
        except IntegrityError as error:
            return self._earlier(origin, error)
        signals.tell_moved([(instance, entries)])
        return Started(saga_id, created=True)

    def apply(
        self,
        saga_id: UUID,
        event: Event,
        *,
        now: datetime,
        known: Mapping[str, Any] = NOTHING,
        version: int | None = None,
    ) -> SagaInstance:
        """Apply an event to a saga: one compare-and-set and its log entries, in one transaction.

        `known` holds the facts of the event's message: those of the request and the answers of steps. If another
        process changed the row first, read it and decide again. With `version`, raise `ChangedMeanwhile` instead.
        Events that change nothing are not logged.

        :raises NoSuchSaga: when no saga has this id.
        :raises ChangedMeanwhile: when the saga has another version.
        :raises UnknownDefinition: when this code lacks the saga's definition.
        :raises TooLate: when the event would undo the saga after its pivot.
        :raises Contradiction: when the event is impossible under the protocol.
        """
        [outcome] = self.apply_all([SagaEvent(saga_id, event, known, version)], now=now)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def apply_all(self, events: Sequence[SagaEvent], *, now: datetime) -> list[SagaInstance | Exception]:
        """Apply several events, as `apply` does, with one transaction for all events of one type.

        Return for each event the saga after it, or the exception that `apply` would raise.
        """
        outcomes: dict[int, SagaInstance | Exception] = {}
        while waiting := {index: each for index, each in enumerate(events) if index not in outcomes}:
            found = self.store.find({each.saga_id for each in waiting.values()})
            moves: dict[UUID, tuple[int, _Move]] = {}
            for index, each in waiting.items():
                if each.saga_id in moves:
                    continue  # one event of a saga at a time: the next decision needs the result of this one
                match self._decide(found.get(each.saga_id), each, now):
                    case _Move() as move:
                        moves[each.saga_id] = (index, move)
                    case outcome:
                        outcomes[index] = outcome
            outcomes |= self._write(events, moves)
        return [outcomes[index] for index in range(len(events))]

    def cancel_saga(self, saga_id: UUID, *, now: datetime) -> SagaInstance:
        """Give the saga up, unless its pivot is done. A second call changes nothing.

        :raises TooLate: when the pivot is done.
        """
        return self.apply(saga_id, CancelRequested(), now=now)

    def resume_saga(self, saga_id: UUID, *, by: str, reason: str, now: datetime) -> SagaInstance:
        """Try the pending steps of the saga now, parked ones included. Do nothing if the saga has ended."""
        return self.apply(saga_id, Resumed(by=by, reason=reason), now=now)

    def _check_registered(self, saga: Saga) -> None:
        try:
            registered = self.definition_of(saga.name)
        except UnknownDefinition as error:
            raise NotRegistered(f"{error}: add it to the definitions of orchestration/sagas") from None
        if registered != saga:
            raise NotRegistered(f"{saga.name}: another saga definition is registered under this name")

    def _decide(
        self, instance: SagaInstance | None, saga_event: SagaEvent, now: datetime
    ) -> _Move | SagaInstance | Exception:
        """Decide what the event changes. Return the saga itself when it changes nothing."""
        if instance is None:
            return NoSuchSaga(f"there is no saga {saga_event.saga_id}")
        if saga_event.version not in (None, instance.version):
            return ChangedMeanwhile(ChangedMeanwhile.__doc__)
        try:
            saga = self.definition_of(instance.definition)
            decision = decide(saga, state_of(instance), saga_event.event, jitter=random.random())
        except (UnknownDefinition, TooLate, Contradiction) as error:
            return error
        if decision is None:
            return instance
        answers = {name: fact for name, fact in saga_event.known.items() if name not in instance.request}
        columns = columns_after(instance, decision, answers, now)
        entries = log_entries(instance, decision.entries, first=instance.log_length + 1, now=now)
        decided = with_columns(instance, columns)
        event, successor = saga_event.event, _successor(decided, now)
        deadlock = deadlock_of(instance, event, now) if isinstance(event, DeadlockFound) else None
        return _Move(RowChange(instance, columns, entries, deadlock, successor), decided, decision.command)

    def _write(
        self, events: Sequence[SagaEvent], moves: Mapping[UUID, tuple[int, _Move]]
    ) -> dict[int, SagaInstance | Exception]:
        """Write the decisions. Events missing in the result lost a race and must be decided again."""
        outcomes: dict[int, SagaInstance | Exception] = {}
        for about in {type(events[index].event).__name__ for index, _ in moves.values()}:
            kind = [move for index, move in moves.values() if type(events[index].event).__name__ == about]
            taken = self.store.compare_and_set(
                [move.change for move in kind], about=about, then=partial(self._follow, kind)
            )
            outcomes |= {index: move.decided for saga_id, (index, move) in moves.items() if saga_id in taken}
        return outcomes

    def _follow(self, moves: Sequence[_Move], taken: Collection[UUID]) -> None:
        """Dispatch the commands of the written decisions, and send their signals."""
        moves = [move for move in moves if move.decided.pk in taken]
        for move in moves:
            if move.command is not None:
                self._send(move.decided, move.command)
        begun = [move.change.successor for move in moves if move.change.successor]
        signals.tell_moved(
            [(move.decided, move.change.entries) for move in moves] + [(each.instance, each.entries) for each in begun]
        )
        if waits := [wait for move in moves for wait in _ended_waits(move)]:
            signals.lock_waits_ended.send_robust(sender=None, waits=waits)

    def _send(self, instance: SagaInstance, command: Command) -> None:
        """Dispatch the command. If the broker is unavailable, make the saga due soon and raise nothing."""
        try:
            self.broker.send(instance, command)
        except BrokerAway as error:
            logger.warning("saga %s not dispatched, recovery will: %s", instance.pk, error, extra={"saga": instance.pk})
            self.store.mark_undelivered(instance, dispatch.OPEN_FOR)

    def _earlier(self, origin: Origin, error: IntegrityError) -> Started:
        instance = self.store.find_by_key(origin.customer_id, origin.idempotency_key)
        if instance is None:
            raise error
        if instance.request_hash != origin.request_hash:
            raise KeyReused(KeyReused.__doc__)
        return Started(instance.id, created=False)


def _ended_waits(move: _Move) -> Iterator[tuple[str, timedelta]]:
    """Yield the resource that the saga waited for until this decision, and for how long, if it waits no more for it."""
    before = move.change.instance
    if before.waits_since is None or before.waits_on == move.decided.waits_on:
        return
    step = before.progress.get("waits")
    done = (entry.at for entry in move.change.entries if entry.kind == Kind.DONE and entry.step == step)
    ended: datetime = next(done, move.decided.changed_at)
    yield before.waits_on, max(ended - before.waits_since, timedelta(0))


def _successor(decided: SagaInstance, now: datetime) -> NewSaga | None:
    """Return the saga that does the work of this one again, if it ended as the victim of a deadlock with time left."""
    if decided.ended_at is None or not is_retried(decided.failure, decided.victim_count) or decided.deadline_at <= now:
        return None
    successor = successor_of(decided, clocks.new_id(now), jitter=random.random(), now=now)
    return NewSaga(successor, log_entries(successor, (Entry(Kind.STARTED),), first=1, now=now))


default = Engine(store, dispatch, definition_of)
start_saga = default.start_saga
apply = default.apply
apply_all = default.apply_all
cancel_saga = default.cancel_saga
resume_saga = default.resume_saga
