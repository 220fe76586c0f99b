"""Operators of a simulation: they pause, unpause, retry and undo sagas, and settle parked steps manually."""

from collections.abc import Callable
from uuid import UUID

from django.db import OperationalError as DatabaseError

from orchestration.engine.row_mapping import state_of
from orchestration.participant.ledger_store import Call
from orchestration.participant.manual_conclusion import settle
from orchestration.participant.manual_outcome import Grounds, NotResolved, ReportedOutcome, Statement
from orchestration.protocol.events import CompensationRequested, Event, Paused, Resumed, Retried, StepSettled, Unpaused
from orchestration.protocol.states import Phase
from orchestration.protocol.transitions import TooLate
from orchestration.testing.faults import Crash
from orchestration.testing.simulation import World

WHO, WHY = "the simulation", "somebody said so"

WORDS: tuple[Callable[[str, str], Event], ...] = (Paused, Unpaused, Retried, Resumed, CompensationRequested)
"""The events by which operators act on a whole saga."""


def say(world: World, saga_id: UUID, word: Callable[[str, str], Event]) -> None:
    """Let the saga hear it; the process may be killed in it, and too late is an answer."""
    try:
        world.engine.apply(saga_id, word(WHO, WHY), now=world.clock())
    except (Crash, DatabaseError, TooLate):
        return


def settle_manually(world: World, saga_id: UUID, which: int) -> None:
    """Settle one of the steps that are parked, if one is: first its ledger row says so, then the saga hears of it."""
    instance = world.store.find([saga_id])[saga_id]
    parked = sorted(state_of(instance).parked)
    if not parked:
        return
    saga = world.saga_of(saga_id)
    step = saga.by_name[parked[which % len(parked)]]
    undoes = instance.phase == Phase.COMPENSATING
    command = step.compensation if undoes else step.action
    if command is None or (not undoes and saga.position_of(step.name) <= saga.pivot_position):
        return
    world.settled.add((saga_id, step.name))
    known = instance.request | instance.answers | {"saga_id": str(saga_id)}
    call = Call(saga_id, step.name, instance.token, known)
    try:
        settle(
            world.services[step.action.service].participant,
            call,
            command,
            Statement(ReportedOutcome.UNDONE if undoes else ReportedOutcome.DONE, Grounds(WHO, WHY, "a statement")),
            still=lambda: step.name in state_of(world.store.find([saga_id])[saga_id]).parked,
        )
        world.engine.apply(saga_id, StepSettled(step.name, WHO, WHY, "a statement"), now=world.clock())
    except (Crash, DatabaseError, NotResolved):
        return
