"""Stories of sagas that skip steps which their request does not need."""

from dataclasses import replace

import pytest

from orchestration.protocol.events import CancelRequested, ChainCompleted, Due, PivotBarred, StepSettled, StepsUndone
from orchestration.protocol.itinerary import itinerary
from orchestration.protocol.states import Bar, Forward, Phase, State, Undo
from orchestration.protocol.transitions import Contradiction
from tests.unit.protocol.stories import (
    ALL,
    BACK,
    CAR,
    ITINERARY,
    MILES,
    ROOM,
    SEAT,
    TICKET,
    Story,
    TripRequested,
    at_noon,
    trip,
)

SKIPPED = frozenset({CAR, MILES})
NEEDED = tuple(step for step in ALL if step not in SKIPPED)


def is_long(request: TripRequested) -> bool:
    return request.nights > 1


CONDITIONAL = replace(
    trip, steps=tuple(replace(step, when=is_long) if step.name in SKIPPED else step for step in trip.steps)
)


def story() -> Story:
    return Story(CONDITIONAL, State(skipped=SKIPPED), sent=[])


@pytest.mark.parametrize(("nights", "skipped"), [(1, SKIPPED), (2, frozenset())])
def test_condition_is_asked_of_the_request(nights: int, skipped: frozenset[str]) -> None:
    assert CONDITIONAL.skipped_for(TripRequested(trip_id=None, traveller="ada", nights=nights)) == skipped  # type: ignore[arg-type]


def test_skipped_steps_are_not_on_the_way() -> None:
    stops, _ = itinerary(CONDITIONAL, Forward(0, SKIPPED))
    assert tuple(stop.step for stop in stops) == NEEDED


def test_saga_is_completed_without_its_skipped_steps() -> None:
    assert story().hears(ChainCompleted(at_noon(*NEEDED))).state.phase is Phase.COMPLETED


def test_saga_is_not_completed_without_a_step_that_it_needs() -> None:
    with pytest.raises(Contradiction, match=ROOM):
        story().hears(ChainCompleted(at_noon(SEAT, TICKET, ITINERARY)))


def test_retry_continues_behind_a_skipped_step() -> None:
    told = story().fails(ITINERARY, ROOM, SEAT, TICKET)
    told.hears(Due())
    assert told.sent == [Forward(5, SKIPPED)]


def test_skipped_steps_are_not_compensated() -> None:
    told = story().is_refused(SEAT, ROOM)
    assert told.sent == [Undo((ROOM,))]
    assert told.hears(StepsUndone(at_noon(ROOM))).state.phase is Phase.COMPENSATED


def test_cancelled_saga_compensates_only_what_it_needs() -> None:
    told = story().hears(CancelRequested(), PivotBarred())
    assert told.sent == [Bar(), Undo(tuple(step for step in BACK if step not in SKIPPED))]


def test_skipped_step_cannot_be_settled() -> None:
    told = story().hears(CancelRequested())
    told.state = replace(told.state, phase=Phase.FINISHING, done=frozenset({ROOM, SEAT, TICKET}))
    told.ignores(StepSettled(MILES, "ada", "by hand", "statement 7"))
