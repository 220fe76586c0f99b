"""Hypothesis chooses what happens to a few sagas: which message comes next, what is lost, killed, cancelled."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from orchestration import failpoints
from orchestration.failpoints import Failpoint, FailpointKind
from orchestration.sagas.checkout import checkout
from orchestration.testing import operators
from orchestration.testing.fakes import Script
from orchestration.testing.faults import FITTING, Crash, Fate, FaultType, lost_reply
from orchestration.testing.invariants import violations
from orchestration.testing.memory_broker import Waiting
from orchestration.testing.simulation import World
from orchestration.testing.sweep import simulated
from tests.simulation.checkout import FAKES, SCENARIOS

STEPS = [step.name for step in checkout.steps]
REFUSABLE = ["", *STEPS[: checkout.pivot_position + 1]]
OUTSIDE = ["", *sorted(FAKES)]
FAULTS = [(place, kind) for place, kinds in FITTING.items() for kind in kinds]
CHOICE = st.integers(0, 50)


class NextCrossing:
    """A `Disturbance`: one fault, the next time that this kind of failpoint is crossed."""

    def __init__(self) -> None:
        self.planned: tuple[FailpointKind, FaultType] | None = None

    def before(self, failpoint: Failpoint) -> None:
        if self._takes(failpoint, FaultType.KILL_BEFORE):
            raise Crash

    def after(self, failpoint: Failpoint) -> None:
        if self._takes(failpoint, FaultType.KILL_AFTER):
            raise Crash
        if self._takes(failpoint, FaultType.LOST_REPLY):
            raise lost_reply(failpoint.kind)

    def times(self, failpoint: Failpoint) -> int:
        return 3 if self._takes(failpoint, FaultType.DUPLICATE) else 1

    def fate(self, failpoint: Failpoint) -> Fate:
        return Fate.LOST if self._takes(failpoint, FaultType.LOST) else Fate.DELIVERED

    def _takes(self, failpoint: Failpoint, kind: FaultType) -> bool:
        if self.planned != (failpoint.kind, kind):
            return False
        self.planned = None
        return True


class Checkouts(RuleBasedStateMachine):
    """Everything that can happen, in any order. At the end the faults stop, and all sagas have to end."""

    @initialize()
    def open_the_shop(self) -> None:
        self.simulated = simulated()
        self.simulated.__enter__()
        self.disturbance = NextCrossing()
        self.world = World(SCENARIOS, FAKES, self.disturbance)
        failpoints.arm(self.disturbance)

    @rule(
        refuses=st.sampled_from(REFUSABLE),
        silent=st.sampled_from(OUTSIDE),
        late=st.sampled_from(OUTSIDE),
        forgotten=st.sampled_from(OUTSIDE),
    )
    def place(self, refuses: str, silent: str, late: str, forgotten: str) -> None:
        delays = {late: timedelta(seconds=60)} if late else {}
        self.world.place(Script(refuses=refuses, silent={silent: 1}, forgotten={forgotten: 1}, late=delays))

    @rule(place_and_kind=st.sampled_from(FAULTS))
    def plan_a_fault(self, place_and_kind: tuple[FailpointKind, FaultType]) -> None:
        self.disturbance.planned = place_and_kind

    @precondition(lambda self: self.world.network.ready())
    @rule(which=CHOICE, times=st.integers(1, 8))
    def deliver(self, which: int, times: int) -> None:
        for _ in range(times):
            if ready := self.world.network.ready():
                self.world.deliver(ready[which % len(ready)])

    @precondition(lambda self: self.world.network.waiting)
    @rule(which=CHOICE)
    def lose(self, which: int) -> None:
        waiting = self.world.network.waiting
        del waiting[which % len(waiting)]

    @precondition(lambda self: self.world.network.waiting)
    @rule(which=CHOICE)
    def double(self, which: int) -> None:
        waiting = self.world.network.waiting
        again = waiting[which % len(waiting)]
        waiting.append(Waiting(again.message, again.at))

    @rule(seconds=st.sampled_from([1, 5, 11, 60, 900]))
    def pass_time(self, seconds: int) -> None:
        self.world.clock.advance(timedelta(seconds=seconds))

    @rule()
    def recover(self) -> None:
        self.world.recover()

    @precondition(lambda self: self.world.store.sagas)
    @rule(which=CHOICE)
    def cancel(self, which: int) -> None:
        sagas = list(self.world.store.sagas)
        self.world.cancel(sagas[which % len(sagas)])

    @precondition(lambda self: self.world.store.unfinished())
    @rule(which=CHOICE)
    def resume(self, which: int) -> None:
        unfinished = self.world.store.unfinished()
        self.world.resume(unfinished[which % len(unfinished)].pk)

    @precondition(lambda self: self.world.store.sagas)
    @rule(which=CHOICE, word=st.sampled_from(operators.WORDS))
    def say(self, which: int, word) -> None:
        sagas = list(self.world.store.sagas)
        operators.say(self.world, sagas[which % len(sagas)], word)

    @precondition(lambda self: any(saga.parked for saga in self.world.store.unfinished()))
    @rule(which=CHOICE)
    def settle_manually(self, which: int) -> None:
        parked = [saga.pk for saga in self.world.store.unfinished() if saga.parked]
        operators.settle_manually(self.world, parked[which % len(parked)], which)

    @rule(service=st.sampled_from(["inventory", "payments", "shipping", "orders"]))
    def turn_database(self, service: str) -> None:
        rows = self.world.services[service].rows
        rows.is_away = not rows.is_away

    @rule()
    def turn_broker(self) -> None:
        self.world.network.is_down = not self.world.network.is_down

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.disturbance.planned = None
            self.world.network.is_down = False
            for service in self.world.services.values():
                service.rows.is_away = False
            self.world.run_until_ended()
            assert violations(self.world) == []
        finally:
            failpoints.arm(None)
            self.simulated.__exit__(None, None, None)


Checkouts.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestCheckouts = Checkouts.TestCase
