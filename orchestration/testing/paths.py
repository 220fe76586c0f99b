"""The paths of a saga in a sweep: what its steps do, and what operators and servers do meanwhile."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Phase
from orchestration.testing.fakes import Fake, Script
from orchestration.testing.simulation import World

OUT_OF_TIME = frozenset({"deadline_passed", "step_failed", "resource_busy"})
"""The failure codes of a saga that gave up only because faults delayed it."""
LATE = timedelta(seconds=60)
"""How late an external call arrives on the late path. Its step may have been undone by then."""


@dataclass(frozen=True)
class Path:
    """One path of a saga: the script of its steps, what happens before and after it is placed, and its expected end.

    `is_a_race`: the pivot may be faster. The saga may then end completed.
    """

    name: str
    script: Callable[[], Script]
    end: Phase
    meanwhile: Callable[[World, UUID], None] = lambda world, saga_id: None
    is_a_race: bool = False
    before: Callable[[World], None] = lambda world: None

    def ends_well(self, phase: str, code: str | None) -> bool:
        """Return whether the saga may end in this phase. `code` says why it gave up; None without faults.

        Faults may use up a saga's time or tries, so that it does not complete.
        """
        if self.is_a_race and phase == Phase.COMPLETED:
            return True
        return phase == self.end or (self.end is Phase.COMPLETED and code in OUT_OF_TIME)


def paths(saga: Saga, fakes: Mapping[str, Fake], skipped: Collection[str] = ()) -> Iterator[Path]:
    """Yield every path of the definition when these steps are skipped."""
    before = [step for step in saga.steps[: saga.pivot_position + 1] if step.name not in skipped]
    outside = [name for name, fake in fakes.items() if fake.outside and name not in skipped]
    yield Path("completed", Script, Phase.COMPLETED)
    for step in before:
        yield Path(f"{step.name} refused", partial(Script, refuses=step.name), Phase.COMPENSATED)
    for delivered in range(len(before)):
        meanwhile = partial(_cancel, delivered)
        yield Path(f"cancelled after {delivered} steps", Script, Phase.COMPENSATED, meanwhile, is_a_race=True)
    for step in (step for step in saga.compensable if step.action.holds):
        rival = partial(_have_lock_held, saga.position_of(step.name) + 1)
        yield Path(f"{step.name} waits for its lock", Script, Phase.COMPLETED, before=rival)
    yield Path("deadline passed", Script, Phase.COMPENSATED, _outlast_the_deadline, is_a_race=True)
    for name in outside:
        yield Path(f"{name} done, no answer", lambda name=name: Script(silent={name: 2}), Phase.COMPLETED)  # type: ignore[misc]
        yield Path(f"{name} not done, no answer", lambda name=name: Script(deaf={name: 2}), Phase.COMPLETED)  # type: ignore[misc]
        yield Path(f"{name} arrives late", lambda name=name: Script(late={name: LATE}), Phase.COMPLETED)  # type: ignore[misc]
    for step in before[:-1]:
        if step.name in outside:
            script = partial(_late_and_cancelled, step.name)
            name = f"{step.name} arrives after it was undone"
            yield Path(name, script, Phase.COMPENSATED, _cancel_at_once, is_a_race=True)


def _have_lock_held(delivered: int, world: World) -> None:
    """Place another saga with the same request, and deliver its first steps, so that it holds the lock."""
    world.place(Script())
    _deliver(delivered, world)


def _late_and_cancelled(step: str) -> Script:
    return Script(late={step: LATE})


def _cancel(delivered: int, world: World, saga_id: UUID) -> None:
    _deliver(delivered, world)
    world.cancel(saga_id)


def _deliver(times: int, world: World) -> None:
    for _ in range(times):
        if ready := world.network.ready():
            world.deliver(ready[0])


def _cancel_at_once(world: World, saga_id: UUID) -> None:
    while ready := world.network.ready():
        world.deliver(ready[0])
    world.cancel(saga_id)


def _outlast_the_deadline(world: World, saga_id: UUID) -> None:
    """Let the deadline pass while the pivot's database is unavailable."""
    saga = world.saga_of(saga_id)
    rows = world.services[saga.pivot.action.service].rows
    rows.is_away = True
    while ready := world.network.ready():
        world.deliver(ready[0])
    world.clock.advance(saga.deadline)
    rows.is_away = False
