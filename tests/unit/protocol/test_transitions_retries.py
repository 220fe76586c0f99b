"""Stories of what must be tried until it succeeds: compensations, and steps after the pivot."""

from datetime import timedelta

from orchestration.protocol.events import ChainCompleted, DeadlinePassed, Due, StepsUndone
from orchestration.protocol.states import Forward, Kind, Phase, Undo
from orchestration.sagas.checkout import checkout
from tests.unit.protocol.stories import (
    ALL,
    BACK,
    CAR,
    ITINERARY,
    MILES,
    NOON,
    RESUMED,
    ROOM,
    SEAT,
    TICKET,
    Story,
    at_noon,
    compensating,
    finishing,
    names,
)


def test_compensation_that_fails_does_not_hold_up_the_others() -> None:
    story = compensating().fails(ROOM)
    assert story.sent[-2:] == [Undo((SEAT, ROOM, CAR)), Undo((SEAT, CAR))]
    story.hears(StepsUndone(at_noon(SEAT, CAR)))
    assert not story.state.in_flight
    assert story.due == timedelta(seconds=0.5)
    story.hears(Due())
    assert story.sent[-1] == Undo((ROOM,))
    story.hears(StepsUndone(at_noon(ROOM)))
    assert story.state.phase is Phase.COMPENSATED


def test_compensations_that_all_fail_are_all_tried_again_in_reverse_order() -> None:
    story = compensating().fails(SEAT).fails(ROOM).fails(CAR)
    assert story.sent[-3:] == [Undo(BACK), Undo((ROOM, CAR)), Undo((CAR,))]
    assert not story.state.in_flight
    story.hears(Due())
    assert story.sent[-1] == Undo(BACK)


def test_compensation_that_keeps_failing_is_parked_and_ends_once_resumed() -> None:
    story = compensating().fails(SEAT).hears(StepsUndone(at_noon(ROOM, CAR)), Due()).fails(SEAT)
    assert (story.state.parked, story.due) == (frozenset({SEAT}), None)
    story.ignores(Due())
    story.hears(RESUMED)
    assert story.sent[-1] == Undo((SEAT,))
    assert story.state.failures == {}
    story.hears(StepsUndone(at_noon(SEAT)))
    assert (story.state.phase, story.state.parked) == (Phase.COMPENSATED, frozenset())
    assert story.kinds[-4:] == [Kind.RESUMED, Kind.SENT, Kind.UNDONE, Kind.COMPENSATED]


def test_parked_compensation_leaves_the_others_their_retries() -> None:
    story = compensating().fails(SEAT, permanent=True).fails(ROOM).fails(CAR)
    assert story.state.parked == {SEAT}
    assert story.due is not None
    story.hears(Due())
    assert story.sent[-1] == Undo((ROOM, CAR))


def test_compensation_parked_last_still_has_the_waiting_ones_tried_again() -> None:
    story = compensating().fails(SEAT).fails(ROOM).fails(CAR, permanent=True)
    assert story.state.parked == {CAR}
    assert story.due is not None
    story.hears(Due())
    assert story.sent[-1] == Undo((SEAT, ROOM))


def test_failures_of_an_action_do_not_count_against_its_compensation() -> None:
    story = Story().fails(ROOM, CAR).hears(Due()).is_refused(SEAT, ROOM).fails(ROOM)
    assert story.state.failures == {ROOM: 1}
    assert story.state.parked == frozenset()


def test_late_news_that_a_parked_compensation_was_made_ends_the_saga() -> None:
    story = compensating().fails(SEAT, permanent=True).hears(StepsUndone(at_noon(*BACK)))
    assert story.state.phase is Phase.COMPENSATED
    assert (story.state.parked, story.state.backing_off) == (frozenset(), frozenset())


def test_compensation_that_waits_for_a_breaker_is_never_parked() -> None:
    story = compensating().hears(StepsUndone(at_noon(SEAT, ROOM)), Due())
    for _ in range(5):
        story.fails(CAR, until=NOON)
        assert story.due == NOON + timedelta(seconds=0.5)  # spread, or all who wait would come at once
        story.hears(Due())
    assert story.state.parked == frozenset()


def test_step_after_the_pivot_is_retried_without_end_and_parked_on_the_way() -> None:
    story = Story().fails(ITINERARY, CAR, ROOM, SEAT, TICKET, MILES)
    assert (story.state.phase, story.due) == (Phase.FINISHING, timedelta(seconds=0.5))
    assert Kind.PIVOT_DONE in story.kinds
    story.ignores(DeadlinePassed())
    story.hears(Due()).fails(ITINERARY)
    assert (story.state.parked, story.due) == (frozenset({ITINERARY}), None)
    story.ignores(Due(), DeadlinePassed())
    story.hears(RESUMED).fails(ITINERARY).hears(Due())
    assert story.sent == [Forward(0), Forward(5), Forward(5), Forward(5)]
    story.hears(ChainCompleted(at_noon(ITINERARY)))
    assert (story.state.phase, story.state.parked) == (Phase.COMPLETED, frozenset())


def test_late_news_that_a_parked_step_was_done_completes_the_saga() -> None:
    story = Story().fails(ITINERARY, CAR, ROOM, SEAT, TICKET, MILES, permanent=True)
    story.hears(ChainCompleted(at_noon(*ALL)))
    assert (story.state.phase, story.state.parked) == (Phase.COMPLETED, frozenset())


def test_attempts_of_a_step_mean_nothing_once_the_pivot_is_done() -> None:
    story = finishing()
    story.fails(ROOM, CAR).hears(Due()).fails(ROOM)
    assert (story.state.phase, story.state.parked) == (Phase.FINISHING, frozenset({ROOM}))


def test_capture_that_fails_parks_and_completes_once_resumed() -> None:
    passed = names(checkout)[:-1]
    story = Story(checkout).fails("capture_payment", *passed)
    for _ in range(checkout.by_name["capture_payment"].retry.park_after - 1):
        story.hears(Due()).fails("capture_payment")
    assert (story.state.parked, story.due) == (frozenset({"capture_payment"}), None)
    story.hears(RESUMED, ChainCompleted(at_noon("capture_payment")))
    assert (story.state.phase, story.state.parked) == (Phase.COMPLETED, frozenset())


def test_failure_behind_the_pivot_is_news_of_the_pivot_only_from_the_newest_dispatch() -> None:
    story = Story()
    stale = story.failure(MILES, CAR, ROOM, SEAT, TICKET)
    story.hears(Due(lost=True)).ignores(stale)
    assert story.state.phase is Phase.RUNNING
