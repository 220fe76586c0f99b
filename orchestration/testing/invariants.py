"""Checks the invariants of a simulated run: every saga ended, and every effect happened once or was reversed."""

from collections.abc import Iterator
from uuid import UUID

from orchestration.engine.row_mapping import state_of
from orchestration.models import SagaInstance
from orchestration.participant.ledger import LEGAL_NEXT
from orchestration.protocol.saga import Step
from orchestration.protocol.states import ENDED, Phase
from orchestration.testing.fakes import Service
from orchestration.testing.memory_ledger import Effect
from orchestration.testing.simulation import World

_ORDER = list(Phase)


def violations(world: World) -> list[str]:
    """Return every violation as a sentence. Call it when no saga has anything left to do."""
    found = [f"contradiction: {each}" for each in world.contradictions]
    for saga in world.store.sagas.values():
        found += [f"saga {saga.pk} ({saga.phase}): {each}" for each in _of_saga(world, saga)]
    return found + [each for service in world.services.values() for each in _of_locks(service)]


def _of_locks(service: Service) -> Iterator[str]:
    """Yield the locks that are left although every saga has ended."""
    locks = service.rows.locks
    yield from (f"{each.resource} is held by saga {each.saga_id}" for each in locks.held())
    yield from (f"saga {each.saga_id} waits for {each.resource}" for each in locks.queued())


def _of_saga(world: World, saga: SagaInstance) -> Iterator[str]:
    if saga.phase not in ENDED:
        yield "has not ended"
    definition = world.saga_of(saga.pk)
    if saga.phase == Phase.COMPENSATED and world.scripts[saga.pk].refuses in {
        step.name for step in definition.steps[definition.pivot_position + 1 :]
    }:
        yield "is compensated although only a step after the pivot refused"
    for position, step in enumerate(definition.steps):
        yield from _of_step(world, saga, position, step)
    yield from _of_log(world, saga.pk)


def _of_step(world: World, saga: SagaInstance, position: int, step: Step) -> Iterator[str]:
    service = world.services[step.action.service]
    effect = service.effect(saga.pk, step.name)
    if step.name in state_of(saga).skipped:
        if (saga.pk, step.name) in service.rows.ledger or effect != Effect():
            yield f"{step.name}, which it skips, was sent"
        return
    if (saga.pk, step.name) in world.settled:
        if effect.done > 1 or effect.reversed > effect.done:
            yield f"{step.name}, settled outside, was done {effect.done} times and reversed {effect.reversed} times"
        return
    if saga.phase == Phase.COMPLETED and effect != Effect(done=1):
        yield f"{step.name} was done {effect.done} times and reversed {effect.reversed} times"
    if saga.phase == Phase.COMPENSATED:
        if effect.done > 1 or effect.done != effect.reversed:
            yield f"{step.name} was done {effect.done} times and reversed {effect.reversed} times"
        if position >= world.saga_of(saga.pk).pivot_position and effect.done:
            yield f"{step.name} was done, and there is no way back from it"
    kept = service.rows.ledger.get((saga.pk, step.name))
    for before, after in zip((None, *kept.history), kept.history, strict=False) if kept else ():
        if after not in LEGAL_NEXT[before]:
            yield f"{step.name} went from {before} to {after}"


def _of_log(world: World, saga_id: UUID) -> Iterator[str]:
    log = world.store.log[saga_id]
    if [entry.sequence for entry in log] != list(range(1, len(log) + 1)):
        yield f"its log has gaps: {[entry.sequence for entry in log]}"
    if log[-1].sequence != world.store.sagas[saga_id].log_length:
        yield "its log is not as long as its row says"
    phases = [_ORDER.index(Phase(entry.phase)) for entry in log]
    if phases != sorted(phases):
        yield f"its phases go back: {[entry.phase for entry in log]}"
    if [entry.token for entry in log] != sorted(entry.token for entry in log):
        yield "its fencing tokens go back"
