"""Runs many sagas at once with random faults. Each world can be repeated from its seed."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from orchestration import failpoints
from orchestration.failpoints import COMMITS, Failpoint
from orchestration.protocol.saga import Saga
from orchestration.testing import operators
from orchestration.testing.fakes import Fake, Script
from orchestration.testing.faults import FITTING, Crash, Fate, FaultType, lost_reply
from orchestration.testing.invariants import violations
from orchestration.testing.simulation import Scenario, Stuck, World

SAGAS_A_WORLD = 12
MISHAP = 0.01
"""The chance of a fault each time a failpoint is crossed."""
INTERRUPTION = 0.04
"""The chance that another process does some work at a failpoint."""


class Dice:
    """A `Disturbance` with random faults. When `is_calm` is set, there are no more."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.happened: Counter[str] = Counter()
        self.is_calm = False
        self.work_on_something_else: Callable[[], None] = lambda: None

    def before(self, failpoint: Failpoint) -> None:
        if failpoint.kind not in COMMITS:
            self._be_interrupted()
        if self._falls(failpoint, FaultType.KILL_BEFORE):
            raise Crash

    def after(self, failpoint: Failpoint) -> None:
        self._be_interrupted()
        if self._falls(failpoint, FaultType.KILL_AFTER):
            raise Crash
        if self._falls(failpoint, FaultType.LOST_REPLY):
            raise lost_reply(failpoint.kind)

    def times(self, failpoint: Failpoint) -> int:
        return self.chance.randint(2, 4) if self._falls(failpoint, FaultType.DUPLICATE) else 1

    def fate(self, failpoint: Failpoint) -> Fate:
        if self.is_calm or self.chance.random() >= 3 * MISHAP:
            return Fate.DELIVERED
        fate = self.chance.choice([Fate.LOST, Fate.DELAYED, Fate.OVERTAKEN])
        self.happened[fate] += 1
        return fate

    def say(self, what: str) -> None:
        """Count another kind of mishap."""
        self.happened[what] += 1

    def _be_interrupted(self) -> None:
        if not self.is_calm and self.chance.random() < INTERRUPTION:
            self.say("interrupted")
            self.work_on_something_else()

    def _falls(self, failpoint: Failpoint, kind: FaultType) -> bool:
        if self.is_calm or kind not in FITTING[failpoint.kind] or self.chance.random() >= MISHAP:
            return False
        self.say(kind)
        return True


@dataclass
class SoakResult:
    """The results of worlds: sagas by end, mishaps by kind, and violations, each with its world's seed."""

    worlds: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    broken: list[str] = field(default_factory=list)

    def __add__(self, other: "SoakResult") -> "SoakResult":
        return SoakResult(
            self.worlds + other.worlds,
            self.ends + other.ends,
            self.happened + other.happened,
            self.sent + other.sent,
            self.broken + other.broken,
        )


def soak_one(scenarios: Sequence[Scenario], fakes: Mapping[str, Fake], seed: int) -> SoakResult:
    """Run one world of a dozen sagas with random faults, then without faults until all sagas end. Check it then.

    `settings.FAULT_POINTS` must be on.
    """
    dice = Dice(seed)
    world = World(scenarios, fakes, dice, seed)
    broken: list[str] = []
    with failpoints.armed(dice):
        _live(world, dice)
        dice.is_calm = True
        for service in world.services.values():
            service.rows.is_away = False
        world.network.is_down = False
        try:
            world.run_until_ended()
        except Stuck as error:
            broken.append(str(error))
    broken += violations(world)
    dice.happened["deadlock"] = len(world.store.deadlocks)
    ends = Counter(instance.phase for instance in world.store.sagas.values())
    sent = sum(instance.token for instance in world.store.sagas.values())
    return SoakResult(1, ends, dice.happened, sent, [f"seed {seed}: {each}" for each in broken])


def _live(world: World, dice: Dice) -> None:
    chance = dice.chance
    to_place = SAGAS_A_WORLD
    nested = False

    def work_on_something_else() -> None:
        nonlocal nested
        if not nested:  # two processes at once are enough
            nested = True
            _do_something(world, dice)
            nested = False

    dice.work_on_something_else = work_on_something_else
    while to_place or chance.random() < 0.99:
        if to_place and chance.random() < 0.2:
            [scenario] = chance.choices(world.scenarios, [each.weight for each in world.scenarios])
            world.place(_script(scenario.saga, world.fakes, dice), scenario)
            to_place -= 1
        _do_something(world, dice)


def _do_something(world: World, dice: Dice) -> None:
    [what] = dice.chance.choices(_DOINGS, _WEIGHTS)
    what(world, dice)


def _deliver(world: World, dice: Dice) -> None:
    if ready := world.network.ready():
        world.deliver(dice.chance.choice(ready[:4]) if dice.chance.random() < 0.9 else dice.chance.choice(ready))


def _pass_time(world: World, dice: Dice) -> None:
    world.clock.advance(timedelta(seconds=dice.chance.choice([0.5, 1, 5, 10, 30, 120])))


def _recover(world: World, dice: Dice) -> None:
    world.recover()


def _cancel(world: World, dice: Dice) -> None:
    if world.store.sagas:
        dice.say("cancel")
        world.cancel(dice.chance.choice(list(world.store.sagas)))


def _wipe(world: World, dice: Dice) -> None:
    dice.say("broker wiped")
    world.network.waiting.clear()


def _turn_broker(world: World, dice: Dice) -> None:
    dice.say("broker up or down")
    world.network.is_down = not world.network.is_down


def _turn_database(world: World, dice: Dice) -> None:
    dice.say("database up or down")
    rows = dice.chance.choice(list(world.services.values())).rows
    rows.is_away = not rows.is_away


def _double(world: World, dice: Dice) -> None:
    if ready := world.network.ready():
        dice.say("doubled many times")
        again = dice.chance.choice(ready)
        world.network.waiting += [type(again)(again.message, again.at) for _ in range(dice.chance.randint(1, 5))]


def _resume(world: World, dice: Dice) -> None:
    if unfinished := world.store.unfinished():
        dice.say("resume")
        world.resume(dice.chance.choice(unfinished).pk)


def _say(world: World, dice: Dice) -> None:
    if unfinished := world.store.unfinished():
        word = dice.chance.choice(operators.WORDS)
        dice.say(word.__name__)
        operators.say(world, dice.chance.choice(unfinished).pk, word)


def _settle(world: World, dice: Dice) -> None:
    if parked := [saga for saga in world.store.unfinished() if saga.parked]:
        dice.say("settled outside")
        operators.settle_manually(world, dice.chance.choice(parked).pk, dice.chance.getrandbits(16))


_DOINGS, _WEIGHTS = zip(
    (_deliver, 70),
    (_recover, 8),
    (_pass_time, 8),
    (_double, 2),
    (_turn_database, 1),
    (_cancel, 1),
    (_resume, 0.7),
    (_say, 1),
    (_settle, 1),
    (_turn_broker, 0.6),
    (_wipe, 0.4),
    strict=True,
)


def _script(saga: Saga, fakes: Mapping[str, Fake], dice: Dice) -> Script:
    chance, steps = dice.chance, saga.steps
    names = [step.name for step in steps]
    outside = [step.name for step in steps if fakes.get(step.name, Fake()).outside]
    script = Script()
    if chance.random() < 0.25:
        script.refuses = chance.choice(names[: saga.pivot_position + 1])
    for table in (script.silent, script.deaf, script.forgotten):
        if outside and chance.random() < 0.2:
            table[chance.choice(outside)] = chance.randint(1, 3)
    if outside and chance.random() < 0.2:
        script.late[chance.choice(outside)] = timedelta(seconds=chance.choice([2, 60, 3600]))
    return script
