"""Fake participants: each step has one countable effect, in its database or externally, and a configured answer."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from orchestration.contracts.command import Action
from orchestration.participant.breaker import Breaker
from orchestration.participant.external import ExternalCommand, Keys, OutcomeUnknown
from orchestration.participant.ledger import LedgerRow
from orchestration.participant.participant import Participant, ParticipantCommand
from orchestration.participant.refusals import Refusal
from orchestration.protocol.saga import Saga, Step
from orchestration.testing.memory_ledger import Effect, MemoryRows


@dataclass(frozen=True)
class Fake:
    """The configuration of one step's participant: its action's answer, and whether it is external (`outside`).

    `answer` is the action's answer, or a function that returns it for a request. None means that there is no answer.
    """

    answer: Any = None
    outside: bool = False


class FakeRefusal(Refusal):
    """The simulation makes this step refuse."""

    code = "refused_in_simulation"


@dataclass
class Script:
    """How the steps of one saga behave. The tables are by step name."""

    refuses: str = ""
    """The step that refuses."""
    silent: dict[str, int] = field(default_factory=dict)
    """How often an external step does its work and does not answer."""
    deaf: dict[str, int] = field(default_factory=dict)
    """How often an external step does nothing and does not answer."""
    forgotten: dict[str, int] = field(default_factory=dict)
    """How often an external step finds that its key is no longer known, so that an operator must act."""
    late: dict[str, timedelta] = field(default_factory=dict)
    """How long the first call of an external step takes to arrive, after its caller has given up."""


class AlwaysClosedBreaker:
    """A breaker that is always closed."""

    name = "none"

    def open_until(self) -> datetime | None:
        return None

    @contextmanager
    def calling(self) -> Iterator[None]:
        yield


@dataclass
class Book:
    """The records of an external system: effects by idempotency key, and calls that have not arrived yet."""

    clock: Callable[[], datetime]
    done: dict[str, tuple[UUID, str]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    reversed: set[str] = field(default_factory=set)
    on_their_way: list[tuple[datetime, str, UUID, str]] = field(default_factory=list)

    def let_arrive(self) -> None:
        """Record the calls that have arrived by now. A call whose key is already used does nothing."""
        for each in [each for each in self.on_their_way if each[0] <= self.clock()]:
            self.on_their_way.remove(each)
            self.do(*each[1:])

    def do(self, key: str, saga_id: UUID, step: str) -> None:
        """Record the effect, once per key."""
        if key not in self.refused:
            self.done.setdefault(key, (saga_id, step))

    def effect(self, saga_id: UUID, step: str) -> Effect:
        """Count how often the step was done and how often it was reversed."""
        keys = [key for key, whose in self.done.items() if whose == (saga_id, step)]
        return Effect(done=len(keys), reversed=len(self.reversed.intersection(keys)))


Watch = Callable[[Action, Any], None]
"""Called with an action and its request when the action has its effect."""


class Service:
    """One fake service: its rows, the book of its external system, and the commands that it executes."""

    def __init__(self, name: str, clock: Callable[[], datetime], scripts: Mapping[UUID, Script], watch: Watch) -> None:
        self.rows = MemoryRows(clock)
        self.book = Book(clock)
        self._scripts = scripts
        self._watch = watch
        self._commands: dict[ParticipantCommand, Callable[[Any], Any] | ExternalCommand] = {}
        self.participant = Participant(name, LedgerRow, self._commands, kept_in=self.rows)  # type: ignore[type-abstract]

    def take(self, step: Step, fake: Fake) -> None:
        """Execute this step's commands from now on."""
        if fake.outside:
            self._take_outside(step, fake)
            return
        self._commands[step.action] = lambda request: self._act(step.action, fake, request)
        if step.compensation is not None:
            self._commands[step.compensation] = lambda request: self.rows.reverse_effect(request.saga_id, step.name)

    def effect(self, saga_id: UUID, step: str) -> Effect:
        """Count how often the step was done and how often it was reversed, in the database and externally."""
        here, there = self.rows.effects.get((saga_id, step), Effect()), self.book.effect(saga_id, step)
        return Effect(here.done + there.done, here.reversed + there.reversed)

    def _act(self, action: Action, fake: Fake, request: Any) -> Any:
        if self._scripts[request.saga_id].refuses == action.step:
            raise FakeRefusal
        self._watch(action, request)
        self.rows.have_effect(request.saga_id, action.step)
        return _answer(fake, request)

    def _take_outside(self, step: Step, fake: Fake) -> None:
        given = (cast(Breaker, AlwaysClosedBreaker()), None, self.book, step.action, fake, self._scripts, self._watch)
        self._commands[step.action] = _ExternalAction(*given)
        if step.compensation is not None:
            self._commands[step.compensation] = _ExternalCompensation(*given)


@dataclass(frozen=True)
class _FakeExternalCommand(ExternalCommand[Any, Any]):
    """An external command that does one step."""

    book: Book
    action: Action
    fake: Fake
    scripts: Mapping[UUID, Script]
    watch: Watch

    def _see_that_the_key_is_known(self, request: Any) -> None:
        times = self.scripts[request.saga_id].forgotten
        if times.get(self.action.step, 0) > 0:
            times[self.action.step] -= 1
            raise OutcomeUnknown(OutcomeUnknown.__doc__)

    def _do(self, request: Any, key: str) -> None:
        step, script = self.action.step, self.scripts[request.saga_id]
        if key not in self.book.done and script.refuses == step:
            self.book.refused.add(key)
        if key in self.book.refused:
            raise FakeRefusal
        if key not in self.book.done and (delay := script.late.pop(step, None)):
            self.book.on_their_way.append((self.book.clock() + delay, key, request.saga_id, step))
            raise TimeoutError(f"{step}: no answer")
        _be_mute(script.deaf, step)
        self.book.do(key, request.saga_id, step)
        _be_mute(script.silent, step)


class _ExternalAction(_FakeExternalCommand):
    """The step's action."""

    def call(self, request: Any, keys: Keys) -> Any:
        self.book.let_arrive()
        self._see_that_the_key_is_known(request)
        self.watch(self.action, request)
        self._do(request, keys.own)
        return request

    def find(self, request: Any, keys: Keys) -> Any:
        self.book.let_arrive()
        if keys.own in self.book.refused:
            raise FakeRefusal
        return request if keys.own in self.book.done else None

    def record(self, request: Any, reply: Any) -> Any:
        return _answer(self.fake, request)


class _ExternalCompensation(_FakeExternalCommand):
    """The step's compensation."""

    def call(self, request: Any, keys: Keys) -> Any:
        """Undo what was done under the action's key. If nothing was done, use the key first, so that a late call has no
        effect."""
        self.book.let_arrive()
        self._see_that_the_key_is_known(request)
        if keys.action not in self.book.done:
            try:
                self._do(request, keys.action)
            except FakeRefusal:
                return request
        self.book.reversed.add(keys.action)
        return request

    def find(self, request: Any, keys: Keys) -> Any:
        self.book.let_arrive()
        settled = keys.action in self.book.reversed or keys.action in self.book.refused
        return request if settled else None

    def record(self, request: Any, reply: Any) -> None:
        """Do nothing: a compensation has nothing to record."""


def services_for(
    sagas: Iterable[Saga],
    fakes: Mapping[str, Fake],
    clock: Callable[[], datetime],
    scripts: Mapping[UUID, Script],
    watch: Watch,
) -> dict[str, Service]:
    """Make fake services for every step of the definitions. A step that is not in `fakes` works in its database."""
    services: dict[str, Service] = {}
    for step in (step for saga in sagas for step in saga.steps):
        name = step.action.service
        services.setdefault(name, Service(name, clock, scripts, watch)).take(step, fakes.get(step.name, Fake()))
    return services


def _answer(fake: Fake, request: Any) -> Any:
    return fake.answer(request) if callable(fake.answer) else fake.answer


def _be_mute(times: dict[str, int], step: str) -> None:
    if times.get(step, 0) > 0:
        times[step] -= 1
        raise TimeoutError(f"{step}: no answer")
