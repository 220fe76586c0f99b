"""Made-up participants: each step has one countable effect, in its database or outside, and answers as configured."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from orchestration.contracts.command import Action
from orchestration.participant.breaker import Breaker
from orchestration.participant.external import ExternalCommand, Keys, OutcomeUnknown
from orchestration.participant.ledger import LedgerRow
from orchestration.participant.participant import Command, Participant
from orchestration.participant.refusals import Refusal
from orchestration.protocol.saga import Saga, Step
from orchestration.testing.memory_ledger import Effect, MemoryRows


@dataclass(frozen=True)
class Fake:
    """How one step's participant works: what its action answers, and whether it is carried out outside.

    `answer` is the action's answer, or a function of its request that gives it; None when it has none.
    """

    answer: Any = None
    outside: bool = False


class FakeRefusal(Refusal):
    """The simulation has this step refuse."""

    code = "refused_in_simulation"


@dataclass
class Script:
    """How one saga's steps are to behave."""

    refuses: str = ""
    """The step that refuses."""
    silent: dict[str, int] = field(default_factory=dict)
    """How often a step outside does its work and says nothing."""
    deaf: dict[str, int] = field(default_factory=dict)
    """How often a step outside does nothing and says nothing."""
    forgotten: dict[str, int] = field(default_factory=dict)
    """How often a step outside finds that its key is forgotten, so that a person must look."""
    late: dict[str, timedelta] = field(default_factory=dict)
    """How long the first call of a step outside is on its way, after its caller has given up."""


class Calm:
    """A breaker that is always closed."""

    name = "none"

    def open_until(self) -> datetime | None:
        return None

    @contextmanager
    def calling(self) -> Iterator[None]:
        yield


@dataclass
class Book:
    """What the other side has on record: effects by idempotency key, and calls that are still on their way."""

    clock: Callable[[], datetime]
    done: dict[str, tuple[UUID, str]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    reversed: set[str] = field(default_factory=set)
    on_their_way: list[tuple[datetime, str, UUID, str]] = field(default_factory=list)

    def let_arrive(self) -> None:
        """Book what has arrived by now; what finds its key taken does nothing."""
        for each in [each for each in self.on_their_way if each[0] <= self.clock()]:
            self.on_their_way.remove(each)
            self.do(*each[1:])

    def do(self, key: str, saga_id: UUID, step: str) -> None:
        """Record the effect, once per key."""
        if key not in self.refused:
            self.done.setdefault(key, (saga_id, step))

    def effect(self, saga_id: UUID, step: str) -> Effect:
        """Count how often the step was done, and reversed."""
        keys = [key for key, whose in self.done.items() if whose == (saga_id, step)]
        return Effect(done=len(keys), reversed=len(self.reversed.intersection(keys)))


class Service:
    """One fake service: its rows, its book outside, and the commands of a definition's steps that it carries out."""

    def __init__(self, name: str, clock: Callable[[], datetime], scripts: dict[UUID, Script]) -> None:
        self.rows = MemoryRows(clock)
        self.book = Book(clock)
        self._scripts = scripts
        self._commands: dict[Command, Callable[[Any], Any] | ExternalCommand] = {}
        self.participant = Participant(name, LedgerRow, self._commands, kept_in=self.rows)  # type: ignore[type-abstract]

    def take(self, step: Step, fake: Fake) -> None:
        """Carry out this step from now on."""
        if fake.outside:
            self._take_outside(step, fake)
            return
        self._commands[step.action] = lambda request: self._act(step.action, fake, request)
        if step.compensation is not None:
            self._commands[step.compensation] = lambda request: self.rows.reverse_effect(request.saga_id, step.name)

    def effect(self, saga_id: UUID, step: str) -> Effect:
        """Count how often the step was done, and reversed, in the database and outside."""
        here, there = self.rows.effects.get((saga_id, step), Effect()), self.book.effect(saga_id, step)
        return Effect(here.done + there.done, here.reversed + there.reversed)

    def _act(self, action: Action, fake: Fake, request: Any) -> Any:
        if self._scripts[request.saga_id].refuses == action.step:
            raise FakeRefusal
        self.rows.have_effect(request.saga_id, action.step)
        return _answer(fake, request)

    def _take_outside(self, step: Step, fake: Fake) -> None:
        given = (cast(Breaker, Calm()), None, self.book, step.action, fake, self._scripts)
        self._commands[step.action] = _ActionThere(*given)
        if step.compensation is not None:
            self._commands[step.compensation] = _CompensationThere(*given)


@dataclass(frozen=True)
class _There(ExternalCommand[Any, Any]):
    """A command at a gateway or carrier that does one step."""

    book: Book
    action: Action
    fake: Fake
    scripts: dict[UUID, Script]

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


class _ActionThere(_There):
    """The step's action."""

    def call(self, request: Any, keys: Keys) -> Any:
        self.book.let_arrive()
        self._see_that_the_key_is_known(request)
        self._do(request, keys.own)
        return request

    def find(self, request: Any, keys: Keys) -> Any:
        self.book.let_arrive()
        if keys.own in self.book.refused:
            raise FakeRefusal
        return request if keys.own in self.book.done else None

    def record(self, request: Any, reply: Any) -> Any:
        return _answer(self.fake, request)


class _CompensationThere(_There):
    """The step's compensation."""

    def call(self, request: Any, keys: Keys) -> Any:
        """Undo what was done under the action's key; where nothing is known, occupy the key first."""
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
        """There is nothing to record."""


def services_for(
    saga: Saga, fakes: dict[str, Fake], clock: Callable[[], datetime], scripts: dict[UUID, Script]
) -> dict[str, Service]:
    """Fake services for every step of the definition; a step that `fakes` does not name works in its database."""
    services: dict[str, Service] = {}
    for step in saga.steps:
        name = step.action.service
        services.setdefault(name, Service(name, clock, scripts)).take(step, fakes.get(step.name, Fake()))
    return services


def _answer(fake: Fake, request: Any) -> Any:
    return fake.answer(request) if callable(fake.answer) else fake.answer


def _be_mute(times: dict[str, int], step: str) -> None:
    if times.get(step, 0) > 0:
        times[step] -= 1
        raise TimeoutError(f"{step}: no answer")
