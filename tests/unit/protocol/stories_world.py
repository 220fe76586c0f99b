"""A small world to run one saga in: participants with ledgers, a network without manners, two drivers of one row."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum, auto
from uuid import UUID

from orchestration.contracts.command import Action, Compensation, Lock
from orchestration.protocol.events import (
    ChainCompleted,
    CompletedSteps,
    Due,
    Event,
    PivotBarred,
    PivotFoundDone,
    StepFailed,
    StepRefused,
    StepSettled,
    StepsUndone,
    StepWaits,
)
from orchestration.protocol.itinerary import itinerary
from orchestration.protocol.next_command import forward
from orchestration.protocol.saga import Pivot, Retry, Saga, Step
from orchestration.protocol.states import ENDED, Bar, Command, Decision, Entry, Forward, Operation, Phase, State, Undo
from orchestration.protocol.transitions import TooLate, decide
from tests.unit.protocol.stories import BROKE, HALF, NO, NOON, RESUMED, UNPAUSED
from tests.unit.protocol.stories_invariants import Ledger, check

FAIR_ROUNDS = 200
"""More than any saga of these sizes needs."""


@dataclass(frozen=True)
class Nothing:
    """What the steps of this world ask and answer."""


@dataclass(frozen=True)
class Asked:
    """What starts a saga of this world."""

    box: str


BOX = Lock("box", by="box", patience=timedelta(seconds=1))


def saga_of(compensable: int, owed_after: int, retry: Retry, *, locked: bool = False) -> Saga:
    """A saga of so many steps before and after its pivot, all retried alike.

    `locked`: the step just before the pivot takes a lock, which the last step releases, if there are such steps.
    """
    actions = [Action(f"service.step_{number}", request=Nothing) for number in range(compensable + 1 + owed_after)]
    if locked and compensable and owed_after:
        actions[compensable - 1] = replace(actions[compensable - 1], holds=BOX)
        actions[-1] = replace(actions[-1], releases=BOX)
    before = [
        Step(action, Compensation(f"service.undo_{action.step}", request=Nothing, undoes=action), retry)
        for action in actions[:compensable]
    ]
    after = [Step(action, retry=retry) for action in actions[compensable + 1 :]]
    pivot = Pivot(actions[compensable], retry=retry)
    return Saga("world.v1", request=Asked, deadline=timedelta(minutes=1), steps=(*before, pivot, *after))


class Luck(StrEnum):
    """What befalls a message when it is worked on."""

    GOOD = auto()
    REFUSED = auto()
    FAILED_BEFORE = auto()
    FAILED_AFTER = auto()
    """It was done, and the failure is reported all the same."""
    NEXT_SENT_AND_FAILED = auto()
    """It was done and went on, and a failure is reported all the same (publishing the next step seemed to fail)."""
    PERMANENT = auto()
    BREAKER_OPEN = auto()
    QUEUED = auto()
    """Another saga holds the lock that the step takes."""
    SILENT = auto()
    """It was done, and nobody ever hears of it."""


@dataclass(frozen=True)
class Message:
    """What is left of a chain: the steps still to ask, and those it passed."""

    operation: Operation
    steps: tuple[str, ...]
    token: int
    completed: CompletedSteps = ()

    @property
    def onwards(self) -> "Message":
        return replace(self, steps=self.steps[1:], completed=(*self.completed, (self.steps[0], NOON)))


@dataclass(frozen=True)
class Reading:
    """A driver's decision, made on a row that may have changed since."""

    version: int
    event: Event
    decision: Decision | None


@dataclass
class World:
    """Every way the rest of the system can behave, one move at a time; each move checks the invariants."""

    saga: Saga
    state: State = field(default_factory=State)
    version: int = 0
    is_due: bool = True
    """Whether recovery will ever look at the row by itself."""
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    reports: list[Event] = field(default_factory=list)
    log: list[Entry] = field(default_factory=list)
    counted: set[int] = field(default_factory=set)
    """Tokens of dispatches whose failure was counted."""

    def __post_init__(self) -> None:
        self.ledgers = {step.name: Ledger.NONE for step in self.saga.steps}
        self._dispatch(forward(self.saga, self.state))

    def read(self, event: Event) -> Reading:
        """One half of a driver's work: look at the row, decide."""
        return Reading(self.version, event, self._decision(event))

    def commit(self, reading: Reading, *, dispatched: bool) -> None:
        """The other half: compare-and-set, deciding again if somebody was faster; dispatch, unless killed before it."""
        decision = reading.decision if reading.version == self.version else self._decision(reading.event)
        if decision is None:
            return
        check(self.saga, self.ledgers, self.log, self.state, decision)
        if isinstance(reading.event, StepWaits):
            assert reading.event.token == self.state.token, "a wait of an older dispatch"
        self._count(reading.event)
        self.state, self.version = decision.state, self.version + 1
        self.is_due = decision.command is not None or decision.due is not None
        self.log.extend(decision.entries)
        if decision.command and dispatched:
            self._dispatch(decision.command)

    def happens(self, event: Event) -> None:
        """A driver does its work undisturbed."""
        self.commit(self.read(event), dispatched=True)

    def deliver(self, message: Message, luck: Luck) -> None:
        """Have a participant work on a message."""
        match message.operation:
            case _ if luck in (Luck.FAILED_BEFORE, Luck.PERMANENT, Luck.BREAKER_OPEN):
                self._report_failure(message, luck)
            case Operation.ACTION:
                self._act(message, luck)
            case Operation.COMPENSATION:
                self._undo(message, luck)
            case Operation.BAR:
                self._bar(message, luck)

    def settle(self, which: int) -> None:
        """A person settles a parked step outside: first the ledger row says so, then the saga hears of it."""
        if not self.state.parked:
            return
        step = sorted(self.state.parked)[which % len(self.state.parked)]
        if self.state.phase is Phase.COMPENSATING:
            self._bar_or_undo(step)
        elif self.saga.position_of(step) <= self.saga.pivot_position:
            return
        elif self.ledgers[step] is Ledger.NONE:
            self.ledgers[step] = Ledger.DONE
        self.happens(StepSettled(step, "ada", "by hand", "statement 7"))

    def ends_when_treated_fairly(self) -> None:
        """See that the saga ends once everything sent arrives, works, and recovery and operators do their part."""
        for _ in range(FAIR_ROUNDS):
            if self.messages:
                self.deliver(self.messages.pop(0), Luck.GOOD)
            elif self.reports:
                self.happens(self.reports.pop(0))
            elif self.state.phase in ENDED or self._is_stuck_for_good():
                return
            elif self.is_due:
                self.happens(Due(lost=self.state.in_flight))
            else:
                assert self.state.parked or self.state.paused, f"nobody will ever look at {self.state}"
                self.happens(UNPAUSED if self.state.paused else RESUMED)
        raise AssertionError(f"it does not end: {self.state}, {self.ledgers}")

    def _decision(self, event: Event) -> Decision | None:
        try:
            return decide(self.saga, self.state, event, jitter=HALF)
        except TooLate:
            assert self.ledgers[self.saga.pivot.name] is Ledger.DONE
            return None

    def _count(self, event: Event) -> None:
        if isinstance(event, StepFailed):
            assert event.token not in self.counted, "one dispatch failed twice"
            self.counted.add(event.token)

    def _dispatch(self, command: Command) -> None:
        match command:
            case Forward():
                stops, _ = itinerary(self.saga, command)
                message = Message(Operation.ACTION, tuple(stop.step for stop in stops), self.state.token)
            case Undo(steps):
                message = Message(Operation.COMPENSATION, steps, self.state.token)
            case Bar():
                message = Message(Operation.BAR, (self.saga.pivot.name,), self.state.token)
        self.messages.append(message)

    def _act(self, message: Message, luck: Luck) -> None:
        step = message.steps[0]
        if self.ledgers[step] in (Ledger.NONE, Ledger.WAITING):
            if luck is Luck.QUEUED and self.saga.by_name[step].action.holds:
                self._wait(message)
                return
            self.ledgers[step] = Ledger.REFUSED if luck is Luck.REFUSED else Ledger.DONE
        if luck is Luck.SILENT or self.ledgers[step] in (Ledger.BARRED, Ledger.UNDONE):
            return
        if self.ledgers[step] is Ledger.REFUSED:
            self.reports.append(StepRefused(step, NO, message.completed))
        else:
            self._go_on(message, luck, ChainCompleted(message.onwards.completed))

    def _wait(self, message: Message) -> None:
        """The holder is another saga from one dispatch to the next."""
        step, holder = message.steps[0], UUID(int=1 + message.token // 2)
        self.ledgers[step] = Ledger.WAITING
        self.reports.append(StepWaits(step, message.token, "box:1", holder, 0, NOON, message.completed))

    def _undo(self, message: Message, luck: Luck) -> None:
        step = message.steps[0]
        self._bar_or_undo(step)
        self._go_on(message, luck, StepsUndone(message.onwards.completed))

    def _bar_or_undo(self, step: str) -> None:
        undone = {Ledger.NONE: Ledger.BARRED, Ledger.WAITING: Ledger.BARRED, Ledger.DONE: Ledger.UNDONE}
        self.ledgers[step] = undone.get(self.ledgers[step], self.ledgers[step])
        assert self.ledgers[self.saga.pivot.name] is not Ledger.DONE, "a compensation met a done pivot"

    def _bar(self, message: Message, luck: Luck) -> None:
        pivot = message.steps[0]
        if self.ledgers[pivot] is Ledger.NONE:
            self.ledgers[pivot] = Ledger.BARRED
        self._go_on(message, luck, PivotFoundDone() if self.ledgers[pivot] is Ledger.DONE else PivotBarred())

    def _go_on(self, message: Message, luck: Luck, end: Event) -> None:
        if luck in (Luck.FAILED_AFTER, Luck.NEXT_SENT_AND_FAILED):
            self._report_failure(message, luck)
        if luck in (Luck.FAILED_AFTER, Luck.SILENT):
            return
        if message.onwards.steps:
            self.messages.append(message.onwards)
        else:
            self.reports.append(end)

    def _report_failure(self, message: Message, luck: Luck) -> None:
        completed = message.completed if message.operation is Operation.ACTION else ()
        self.reports.append(
            StepFailed(
                message.steps[0],
                message.operation,
                message.token,
                BROKE,
                completed,
                until=NOON if luck is Luck.BREAKER_OPEN else None,
                permanent=luck is Luck.PERMANENT,
            )
        )

    def _is_stuck_for_good(self) -> bool:
        """A refusal after the pivot is final: the saga stays parked whatever operators say."""
        refused = {step for step, ledger in self.ledgers.items() if ledger is Ledger.REFUSED}
        return self.state.phase is Phase.FINISHING and bool(refused & self.state.parked)
