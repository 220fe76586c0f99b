"""A stand-in for broker and workers that needs neither: the real handlers, the real engine, in this thread."""

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from orchestration.contracts.command import Action, Compensation
from orchestration.engine import dispatch, engine, selectors
from orchestration.models import SagaInstance
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Done, Queued, Refused
from orchestration.participant.participant import participant_of
from orchestration.participant.refusals import PermanentFailure
from orchestration.protocol.events import (
    ChainCompleted,
    CompletedSteps,
    Due,
    Event,
    LockGranted,
    PivotBarred,
    PivotFoundDone,
    StepFailed,
    StepRefused,
    StepsUndone,
    StepWaits,
)
from orchestration.protocol.itinerary import itinerary
from orchestration.protocol.states import ENDED, Bar, Command, Forward, Operation, Undo
from orchestration.sagas import definition_of
from orchestration.testing import step_runner

ROUNDS = 50
NOTHING: dict[str, Any] = {}


@dataclass(frozen=True)
class Message:
    """A command on its way, with what the saga knew when it was sent and what was done since."""

    saga_id: UUID
    definition: str
    token: int
    command: Command
    known: dict[str, Any]
    completed: CompletedSteps = ()

    def call(self, step: str) -> list[Call]:
        return [Call(self.saga_id, step, self.token, self.known | {"saga_id": str(self.saga_id)})]

    def passed(self, step: str, answer: dict[str, Any] = NOTHING) -> "Message":
        return replace(self, known=self.known | answer, completed=(*self.completed, (step, datetime.now(UTC))))


class Courier:
    """Takes what the engine dispatches and carries it out when told to. Messages can be lost or sent again."""

    def __init__(self) -> None:
        self.waiting: deque[Message] = deque()
        self.sent: list[Message] = []
        self.loses = ""
        """The step whose message never arrives."""

    def send(self, instance: SagaInstance, command: Command) -> None:
        """What the engine calls in place of `dispatch.send`."""
        known = dispatch.context_of(instance)["known"]
        message = Message(instance.pk, instance.definition, instance.token, command, known)
        self.sent.append(message)
        self.waiting.append(message)

    def deliver(self) -> None:
        """Carry out everything that waits, and what follows from it."""
        while self.waiting:
            self._carry_out(self.waiting.popleft())

    def lose_everything(self) -> None:
        """Forget what waits."""
        self.waiting.clear()

    def send_everything_again(self) -> None:
        """Have every message ever sent wait once more, the newest first."""
        self.waiting.extend(reversed(self.sent[:]))

    def settle(self, saga_id: UUID) -> str:
        """Deliver and let time pass until the saga has ended or is parked; return its phase."""
        for _ in range(ROUNDS):
            self.deliver()
            saga = selectors.saga(saga_id)
            assert saga is not None
            if saga.phase in ENDED or saga.due_at is None:
                return str(saga.phase)
            engine.apply(saga_id, Due(), now=datetime.now(UTC))
        raise AssertionError(f"saga {saga_id} has not ended after {ROUNDS} rounds")

    def _carry_out(self, message: Message) -> None:
        match message.command:
            case Forward():
                self._go_forward(message, message.command)
            case Undo(steps):
                self._go_back(message, steps)
            case Bar():
                pivot = definition_of(message.definition).pivot.action
                [holds] = step_runner.bar(participant_of(pivot.service), message.call(pivot.step))
                _report(message, PivotBarred() if holds else PivotFoundDone())

    def _go_forward(self, message: Message, command: Forward) -> None:
        definition = definition_of(message.definition)
        for step in (definition.by_name[stop.step] for stop in itinerary(definition, command)[0]):
            if step.name == self.loses:
                return
            try:
                [outcome] = _act(step.action, message)
            except Exception as error:
                _report(message, _failure(message, step.name, Operation.ACTION, error))
                return
            match outcome:
                case Done(answer):
                    message = message.passed(step.name, answer)
                case Refused(refusal):
                    _report(message, StepRefused(step.name, refusal, message.completed))
                    return
                case Queued(resource, holder, before, since):
                    waits = StepWaits(step.name, message.token, resource, holder, before, since, message.completed)
                    _report(message, waits)
                    return
                case _:
                    return
            for wake in outcome.wakes:
                engine.apply(wake.saga_id, LockGranted(wake.step), now=datetime.now(UTC))
        _report(message, ChainCompleted(message.completed))

    def _go_back(self, message: Message, steps: tuple[str, ...]) -> None:
        by_name = definition_of(message.definition).by_name
        for name in steps:
            compensation = by_name[name].compensation
            assert compensation is not None
            try:
                undo(compensation, message)
            except Exception as error:
                _report(message, _failure(message, name, Operation.COMPENSATION, error))
                return
            message = message.passed(name)
        _report(message, StepsUndone(message.completed))


def undo(compensation: Compensation, message: Message) -> None:
    """Carry out one compensation."""
    step_runner.undo(participant_of(compensation.service), compensation, message.call(compensation.step))


def _act(action: Action, message: Message) -> list[Any]:
    return list(step_runner.act(participant_of(action.service), action, message.call(action.step)))


def _failure(message: Message, step: str, operation: Operation, error: Exception) -> StepFailed:
    done = message.completed if operation is Operation.ACTION else ()
    permanent = isinstance(error, PermanentFailure)
    return StepFailed(step, operation, message.token, {"class": type(error).__name__}, done, permanent=permanent)


def _report(message: Message, event: Event) -> None:
    known = {} if isinstance(event, StepsUndone | PivotBarred | PivotFoundDone) else message.known
    engine.apply(message.saga_id, event, now=datetime.now(UTC), known=known)
