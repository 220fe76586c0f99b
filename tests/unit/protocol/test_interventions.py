"""Stories of what people say to a saga: pause it, go on, do not wait, take it back, it is settled elsewhere."""

from datetime import timedelta

import pytest

from orchestration.protocol.events import (
    CancelRequested,
    ChainCompleted,
    CompensationRequested,
    DeadlinePassed,
    Due,
    PivotBarred,
    Retried,
    StepRefused,
    StepSettled,
    StepsUndone,
)
from orchestration.protocol.states import Bar, Forward, Kind, Phase, Undo
from orchestration.protocol.transitions import TooLate
from tests.unit.protocol.stories import (
    ALL,
    BACK,
    CAR,
    ITINERARY,
    MILES,
    NO,
    PAUSED,
    RESUMED,
    ROOM,
    SEAT,
    TICKET,
    UNPAUSED,
    Story,
    at_noon,
    compensated,
    compensating,
    completed,
    finishing,
)

RETRIED = Retried("ada", "it answers again")
TAKEN_BACK = CompensationRequested("ada", "a fraud")


def settled(step: str) -> StepSettled:
    return StepSettled(step, "ada", "paid by hand", "statement 7, line 12")


def test_paused_saga_is_sent_nothing_and_still_learns() -> None:
    story = Story().hears(PAUSED).fails(ROOM, CAR)
    assert (story.state.in_flight, story.due) == (False, None)
    assert CAR in story.state.done
    story.ignores(Due(), DeadlinePassed(), RESUMED, RETRIED, PAUSED)
    assert story.sent == [Forward(0)]


def test_unpaused_saga_is_due_at_once_and_goes_on() -> None:
    story = Story().fails(ROOM, CAR).hears(PAUSED, UNPAUSED)
    assert (story.state.paused, story.due, story.sent) == (False, timedelta(0), [Forward(0)])
    story.hears(Due())
    assert story.sent[-1] == Forward(1)


def test_what_was_in_flight_when_paused_is_still_in_flight_when_unpaused() -> None:
    story = Story().hears(PAUSED, UNPAUSED)
    assert (story.state.in_flight, story.due) == (True, timedelta(0))
    story.hears(ChainCompleted(at_noon(*ALL)))
    assert story.state.phase is Phase.COMPLETED


def test_refusal_of_a_paused_saga_compensates_once_it_is_unpaused() -> None:
    story = Story().hears(PAUSED, StepRefused(ROOM, NO, at_noon(CAR)))
    assert (story.state.phase, story.state.token, story.sent) == (Phase.COMPENSATING, 1, [Forward(0)])
    story.hears(UNPAUSED, Due())
    assert story.sent[-1] == Undo((SEAT, CAR))


def test_cancelled_while_paused_is_given_up_and_barred_once_unpaused() -> None:
    story = Story().hears(PAUSED, CancelRequested())
    assert (story.state.phase, story.sent) == (Phase.BARRING, [Forward(0)])
    story.hears(UNPAUSED, Due())
    assert story.sent[-1] == Bar()


def test_the_end_ends_the_pause() -> None:
    assert not Story().hears(PAUSED, ChainCompleted(at_noon(*ALL))).state.paused
    assert not compensating().hears(PAUSED, StepsUndone(at_noon(*BACK))).state.paused


def test_parked_saga_that_is_unpaused_stays_a_persons() -> None:
    story = Story().fails(ITINERARY, CAR, ROOM, SEAT, TICKET, MILES, permanent=True).hears(PAUSED, UNPAUSED)
    assert (story.due, story.state.parked) == (None, frozenset({ITINERARY}))


@pytest.mark.parametrize("ended", [completed, compensated])
def test_ended_saga_hears_nobody(ended) -> None:
    ended().ignores(PAUSED, UNPAUSED, RETRIED, RESUMED, settled(SEAT), settled(ITINERARY))


def test_retry_waits_no_longer_and_leaves_parked_alone() -> None:
    story = compensating().fails(SEAT, permanent=True).fails(ROOM).fails(CAR).hears(RETRIED)
    assert (story.sent[-1], story.state.parked) == (Undo((ROOM, CAR)), frozenset({SEAT}))
    assert story.kinds[-2:] == [Kind.RETRIED, Kind.SENT]
    story.hears(StepsUndone(at_noon(ROOM, CAR))).ignores(RETRIED)


def test_taken_back_while_running_bars_the_pivot_first() -> None:
    story = Story().hears(TAKEN_BACK)
    assert (story.sent[-1], story.state.failure) == (Bar(), {"code": "given_up", "detail": "It was given up."})
    assert story.log[0].detail == {"code": "given_up", "by": "ada", "reason": "a fraud"}
    story.hears(PivotBarred())
    assert story.sent[-1] == Undo(BACK)


def test_taken_back_while_compensating_tries_parked_compensations_too() -> None:
    story = compensating().fails(SEAT, permanent=True).hears(StepsUndone(at_noon(ROOM, CAR)), TAKEN_BACK)
    assert (story.sent[-1], story.state.parked) == (Undo((SEAT,)), frozenset())


@pytest.mark.parametrize("placed", [finishing, completed])
def test_nothing_is_taken_back_after_the_pivot(placed) -> None:
    with pytest.raises(TooLate):
        placed().hears(TAKEN_BACK)


def test_operator_who_cancels_is_named_and_a_customer_is_not() -> None:
    by_operator = Story().hears(CancelRequested("ada", "asked by phone"))
    assert by_operator.log[0].detail == {"code": "cancelled", "by": "ada", "reason": "asked by phone"}
    assert Story().hears(CancelRequested()).log[0].detail == {"code": "cancelled"}


def test_settled_compensation_counts_as_undone_and_is_not_sent_again() -> None:
    story = compensating().fails(SEAT, permanent=True).hears(settled(SEAT))
    assert (story.state.parked, story.state.undone) == (frozenset(), frozenset({SEAT}))
    story.hears(StepsUndone(at_noon(ROOM, CAR)))
    assert story.state.phase is Phase.COMPENSATED


def test_last_compensation_settled_ends_the_saga() -> None:
    story = compensating().fails(SEAT, permanent=True).hears(StepsUndone(at_noon(ROOM, CAR)), settled(SEAT))
    assert (story.state.phase, story.kinds[-2:]) == (Phase.COMPENSATED, [Kind.SETTLED, Kind.COMPENSATED])


def test_settled_step_after_the_pivot_lets_the_rest_go_on() -> None:
    story = Story().fails(MILES, CAR, ROOM, SEAT, TICKET, permanent=True).hears(settled(MILES))
    assert (story.sent[-1], story.state.parked) == (Forward(5), frozenset())
    story.hears(ChainCompleted(at_noon(ITINERARY)))
    assert story.state.phase is Phase.COMPLETED


def test_last_step_settled_completes_the_saga() -> None:
    story = Story().fails(ITINERARY, CAR, ROOM, SEAT, TICKET, MILES, permanent=True).hears(settled(ITINERARY))
    assert (story.state.phase, story.kinds[-2:]) == (Phase.COMPLETED, [Kind.SETTLED, Kind.COMPLETED])


def test_chain_goes_past_a_settled_step_that_its_service_still_refuses() -> None:
    story = finishing().is_refused(MILES, CAR, ROOM, SEAT, TICKET).hears(settled(MILES))
    assert story.sent[-1] == Forward(5)
    again = finishing().hears(StepRefused(MILES, NO), settled(MILES))
    assert again.sent[-1] == Forward(0)
    again.is_refused(MILES, CAR, ROOM, SEAT, TICKET)
    assert again.sent[-1] == Forward(5)
    again.hears(ChainCompleted(at_noon(ITINERARY))).ignores(StepRefused(MILES, NO))


def test_nothing_before_the_pivot_is_settled_while_it_may_still_be_done() -> None:
    Story().ignores(settled(ROOM))
    Story().hears(CancelRequested()).ignores(settled(ROOM))
    finishing().ignores(settled(ROOM))


def test_settled_while_paused_goes_on_once_unpaused() -> None:
    story = Story().fails(MILES, CAR, ROOM, SEAT, TICKET, permanent=True).hears(PAUSED, settled(MILES))
    assert story.sent == [Forward(0)]
    story.hears(UNPAUSED, Due())
    assert story.sent[-1] == Forward(5)
