"""Whatever is lost, doubled, delayed, reordered, refused or broken, no invariant breaks and every saga can end."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.protocol.events import (
    CancelRequested,
    CompensationRequested,
    DeadlinePassed,
    Due,
    Event,
    LockGranted,
    Retried,
)
from orchestration.protocol.saga import Retry, Saga
from orchestration.protocol.states import State
from tests.unit.protocol.stories import PAUSED, RESUMED, UNPAUSED
from tests.unit.protocol.stories_world import Luck, Reading, World, saga_of

Drivers = dict[int, Reading]
"""What each sleeping driver has decided and not yet written."""


@dataclass(frozen=True)
class Deliver:
    """A message is worked on; `doubled`: it stays and will come again."""

    which: int
    luck: Luck
    doubled: bool

    def make(self, world: World, drivers: Drivers) -> None:
        if world.messages:
            which = self.which % len(world.messages)
            message = world.messages[which] if self.doubled else world.messages.pop(which)
            world.deliver(message, self.luck)


@dataclass(frozen=True)
class Lose:
    """A message or a report is gone."""

    which: int

    def make(self, world: World, drivers: Drivers) -> None:
        if lost := self.which % (len(world.messages) + len(world.reports) + 1):
            both = (world.messages, lost - 1), (world.reports, lost - 1 - len(world.messages))
            bag, index = both[lost > len(world.messages)]
            del bag[index]


@dataclass(frozen=True)
class Hear:
    """A driver gets a report; `doubled`: the report stays and will come again."""

    driver: int | None
    which: int
    doubled: bool

    def make(self, world: World, drivers: Drivers) -> None:
        if world.reports:
            which = self.which % len(world.reports)
            event = world.reports[which] if self.doubled else world.reports.pop(which)
            Think(self.driver, event).make(world, drivers)


@dataclass(frozen=True)
class Think:
    """A driver reads the row and decides; a numbered one sleeps before it writes, and may never wake."""

    driver: int | None
    event: Event

    def make(self, world: World, drivers: Drivers) -> None:
        if self.driver is None:
            world.happens(self.event)
        else:
            drivers[self.driver] = world.read(self.event)


@dataclass(frozen=True)
class Commit:
    """A driver wakes and writes what it decided, however long ago; not `dispatched`: it is killed right after."""

    driver: int
    dispatched: bool

    def make(self, world: World, drivers: Drivers) -> None:
        if reading := drivers.pop(self.driver, None):
            world.commit(reading, dispatched=self.dispatched)


@dataclass(frozen=True)
class Settle:
    """A person settles a parked step outside."""

    which: int

    def make(self, world: World, drivers: Drivers) -> None:
        world.settle(self.which)


Move = Deliver | Lose | Hear | Think | Commit | Settle

WHICH = st.integers(0, 7)
DRIVER = st.sampled_from([None, None, 0, 1])
LUCK = st.sampled_from([*Luck, *[Luck.GOOD] * 8])
RETRIED, TAKEN_BACK = Retried("ada", "it answers again"), CompensationRequested("ada", "a fraud")
OWN = st.sampled_from(
    [
        *(DeadlinePassed(), CancelRequested(), TAKEN_BACK, PAUSED, PAUSED, UNPAUSED, UNPAUSED),
        *([Due(), Due(lost=True), RESUMED, RETRIED] * 3),
        *(LockGranted(f"step_{number}") for number in range(3)),
    ]
)
DELIVER = st.builds(Deliver, WHICH, LUCK, st.booleans())
HEAR = st.builds(Hear, DRIVER, WHICH, st.booleans())
RARER = st.one_of(
    st.builds(Think, DRIVER, OWN),
    st.builds(Commit, st.integers(0, 1), st.booleans()),
    st.builds(Lose, WHICH),
    st.builds(Settle, WHICH),
)
MOVES = st.integers(0, 60).flatmap(
    lambda length: st.lists(st.one_of(DELIVER, DELIVER, HEAR, HEAR, RARER), min_size=length, max_size=length)
)
RETRIES = st.builds(Retry, attempts=st.sampled_from([None, 1, 2]), park_after=st.integers(1, 3))
SAGAS = st.builds(saga_of, st.integers(0, 3), st.integers(0, 2), RETRIES, locked=st.booleans())
SKIPPED = st.frozensets(st.integers(0, 5), max_size=3)
"""Positions of steps that the saga's request does not need. The pivot is always needed."""
ASKED = st.builds(Deliver, WHICH, st.sampled_from([*Luck, *[Luck.QUEUED] * 6]), st.booleans())
AGAIN = st.sampled_from([Due(), RETRIED, *(LockGranted(f"step_{number}") for number in range(2)), PAUSED, UNPAUSED])
WAITING_SAGAS = st.builds(saga_of, st.integers(1, 2), st.just(1), RETRIES, locked=st.just(True))
"""A saga of few steps that often waits, and asks again."""


@given(SAGAS, SKIPPED, MOVES)
@settings(max_examples=1000, deadline=None)
def test_no_history_breaks_an_invariant_and_every_saga_can_still_end(
    saga: Saga, positions: frozenset[int], moves: list[Move]
) -> None:
    conditional = enumerate(saga.steps)
    skipped = frozenset(step.name for at, step in conditional if at in positions and step != saga.pivot)
    happen(World(saga, State(skipped=skipped)), moves)


@given(WAITING_SAGAS, st.lists(st.one_of(ASKED, HEAR, st.builds(Think, DRIVER, AGAIN)), max_size=30))
@settings(max_examples=500, deadline=None)
def test_no_history_of_a_saga_that_waits_breaks_an_invariant(saga: Saga, moves: list[Move]) -> None:
    happen(World(saga), moves)


def happen(world: World, moves: list[Move]) -> None:
    """Make the moves, and then treat the saga fairly until it ends."""
    drivers: Drivers = {}
    for move in moves:
        move.make(world, drivers)
    for driver in list(drivers):
        Commit(driver, dispatched=True).make(world, drivers)
    world.ends_when_treated_fairly()
