"""The shell around decisions: read the row, decide, compare-and-set, log, dispatch after the commit."""

import logging
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from orchestration import signals
from orchestration.engine import dispatch, store
from orchestration.engine.dispatch import Broker, BrokerAway
from orchestration.engine.row_mapping import Origin, columns_after, log_entries, new_instance, state_of, with_columns
from orchestration.engine.saga_event import SagaEvent
from orchestration.engine.store import KeyInProgress, RowChange, Store
from orchestration.models import SagaInstance
from orchestration.protocol.events import CancelRequested, Event, Resumed
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Command, Entry, Forward, Kind
from orchestration.protocol.transitions import Contradiction, TooLate, decide
from orchestration.sagas import UnknownDefinition, definition_of

__all__ = ["KeyInProgress", "Origin"]

logger = logging.getLogger(__name__)

NOTHING: Mapping[str, Any] = {}


class NoSuchSaga(LookupError):
    """There is no saga of this id."""


class ChangedMeanwhile(Exception):
    """The saga is not as it was looked at: somebody, or something, was faster."""


class KeyReused(Exception):
    """The customer has used this idempotency key for another request."""


class NotRegistered(LookupError):
    """The saga definition is not the one that this code has under its name: nothing would carry the saga on."""


class RequestUnlike(TypeError):
    """The request is not of the type that the saga definition asks for."""


@dataclass(frozen=True)
class Started:
    """A saga that stands: started now (`created`), or by an earlier request with the same key."""

    saga_id: UUID
    created: bool


@dataclass(frozen=True)
class _Move:
    """What follows for a saga: what to write, the saga as it is then, and what to send."""

    change: RowChange
    decided: SagaInstance
    command: Command | None


@dataclass(frozen=True)
class Engine:
    """Apply events to sagas, over a store that keeps the sagas and a broker that takes their commands."""

    store: Store
    broker: Broker
    definition_of: Callable[[str], Saga]

    def start_saga(self, saga: Saga, request: Any, *, saga_id: UUID, origin: Origin, now: datetime) -> Started:
        """Write the saga down and, once that is committed, dispatch it. This is orchestration's one door.

        A dead broker changes nothing for the caller: the row says what is pending and recovery dispatches it.

        :raises NotRegistered: when `definitions` does not hold this very definition.
        :raises KeyReused: when the key stands for a request with another hash.
        :raises KeyInProgress: when the same key is being accepted by somebody else at this moment.
        """
        self._check_registered(saga)
        if not isinstance(request, saga.request):
            raise RequestUnlike(f"{saga.name} asks for {saga.request.__name__}, not {type(request).__name__}")
        instance = new_instance(saga, request, saga_id, origin, now)
        entries = log_entries(instance, (Entry(Kind.STARTED),), first=1, now=now)
        try:
            self.store.insert(instance, entries, then=lambda: self._send(instance, Forward(0)))
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

        `known` is what the event's message carried: the request's facts and what steps have answered.
        When somebody else was faster the row is read and decided on again, unless the event is only for that `version`.
        Events that change nothing leave no trace.

        :raises NoSuchSaga: when there is none.
        :raises ChangedMeanwhile: when it is not of that version any more.
        :raises UnknownDefinition: when this code lacks the saga's definition.
        :raises TooLate: when somebody wants it undone after the pivot.
        :raises Contradiction: when the event cannot be true if the protocol holds.
        """
        [outcome] = self.apply_all([SagaEvent(saga_id, event, known, version)], now=now)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def apply_all(self, events: Sequence[SagaEvent], *, now: datetime) -> list[SagaInstance | Exception]:
        """Apply several events, as `apply` does, with one transaction for those of a kind.

        Gives for each the saga as it is then, or what `apply` would raise.
        """
        outcomes: dict[int, SagaInstance | Exception] = {}
        while waiting := {index: each for index, each in enumerate(events) if index not in outcomes}:
            found = self.store.find({each.saga_id for each in waiting.values()})
            moves: dict[UUID, tuple[int, _Move]] = {}
            for index, each in waiting.items():
                if each.saga_id in moves:
                    continue  # one event a saga at a time: the next is decided on what this one makes of it
                match self._decided(found.get(each.saga_id), each, now):
                    case _Move() as move:
                        moves[each.saga_id] = (index, move)
                    case outcome:
                        outcomes[index] = outcome
            outcomes |= self._taken(events, moves)
        return [outcomes[index] for index in range(len(events))]

    def cancel_saga(self, saga_id: UUID, *, now: datetime) -> SagaInstance:
        """Give the saga up, unless its pivot is done. Asking again changes nothing.

        :raises TooLate: when the pivot is done.
        """
        return self.apply(saga_id, CancelRequested(), now=now)

    def resume_saga(self, saga_id: UUID, *, by: str, reason: str, now: datetime) -> SagaInstance:
        """Try what is pending of the saga again now, parked steps too; an ended saga stays as it is."""
        return self.apply(saga_id, Resumed(by=by, reason=reason), now=now)

    def _check_registered(self, saga: Saga) -> None:
        try:
            registered = self.definition_of(saga.name)
        except UnknownDefinition as error:
            raise NotRegistered(f"{error}: add it to the definitions of orchestration/sagas") from None
        if registered != saga:
            raise NotRegistered(f"{saga.name}: another saga definition is registered under this name")

    def _decided(
        self, instance: SagaInstance | None, saga_event: SagaEvent, now: datetime
    ) -> _Move | SagaInstance | Exception:
        """What follows; the saga itself when nothing does."""
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
        return _Move(RowChange(instance, columns, entries), with_columns(instance, columns), decision.command)

    def _taken(
        self, events: Sequence[SagaEvent], moves: Mapping[UUID, tuple[int, _Move]]
    ) -> dict[int, SagaInstance | Exception]:
        """Write the decisions; those that are not among the results were overtaken, and are to be made again."""
        outcomes: dict[int, SagaInstance | Exception] = {}
        for about in {type(events[index].event).__name__ for index, _ in moves.values()}:
            kind = [move for index, move in moves.values() if type(events[index].event).__name__ == about]
            taken = self.store.compare_and_set(
                [move.change for move in kind], about=about, then=partial(self._follow, kind)
            )
            outcomes |= {index: move.decided for saga_id, (index, move) in moves.items() if saga_id in taken}
        return outcomes

    def _follow(self, moves: Sequence[_Move], taken: Collection[UUID]) -> None:
        """Send what is decided, and say what has moved."""
        moves = [move for move in moves if move.decided.pk in taken]
        for move in moves:
            if move.command is not None:
                self._send(move.decided, move.command)
        signals.tell_moved([(move.decided, move.change.entries) for move in moves])

    def _send(self, instance: SagaInstance, command: Command) -> None:
        """Dispatch after the commit; what cannot be sent now is due again soon, and the caller never hears of it."""
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


default = Engine(store, dispatch, definition_of)
start_saga = default.start_saga
apply = default.apply
apply_all = default.apply_all
cancel_saga = default.cancel_saga
resume_saga = default.resume_saga
