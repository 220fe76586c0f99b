"""Stories of sagas that give up: deadline, cancel, and the race of the bar with the pivot."""

from collections.abc import Callable

import pytest

from orchestration.protocol.events import (
    CancelRequested,
    ChainCompleted,
    DeadlinePassed,
    Due,
    Event,
    PivotBarred,
    PivotFoundDone,
    StepsUndone,
)
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Bar, Forward, Kind, Phase, Undo
from orchestration.protocol.transitions import TooLate
from tests.unit.protocol.stories import (
    ALL,
    BACK,
    CAR,
    ITINERARY,
    MILES,
    ROOM,
    SAGAS,
    SEAT,
    TICKET,
    Story,
    at_noon,
    backwards,
    completed,
    finishing,
)


@pytest.mark.parametrize(
    ("event", "code"), [(DeadlinePassed(), "deadline_passed"), (CancelRequested(), "cancelled")], ids=["late", "cancel"]
)
@pytest.mark.parametrize("saga", SAGAS, ids=lambda saga: saga.name)
def test_giving_up_bars_the_pivot_before_anything_is_undone(saga: Saga, event: Event, code: str) -> None:
    story = Story(saga).hears(event)
    assert story.sent == [Forward(0), Bar()]
    story.hears(PivotBarred())
    assert story.sent == [Forward(0), Bar(), Undo(backwards(saga))]
    story.hears(StepsUndone(at_noon(*backwards(saga))))
    assert story.state.phase is Phase.COMPENSATED
    assert story.kinds == [
        Kind.GAVE_UP,
        Kind.SENT,
        Kind.PIVOT_BARRED,
        Kind.SENT,
        *[Kind.UNDONE] * len(saga.compensable),
        Kind.COMPENSATED,
    ]
    assert story.state.failure is not None
    assert story.state.failure["code"] == code


def test_deadline_that_passes_while_a_retry_is_waited_for_bars_the_pivot() -> None:
    story = Story().fails(SEAT, CAR, ROOM).hears(DeadlinePassed())
    assert story.sent == [Forward(0), Bar()]
    assert story.state.failures == {}


def test_bar_that_fails_is_tried_again_when_due_and_never_parked() -> None:
    story = Story().hears(CancelRequested())
    for _ in range(20):
        story.fails(TICKET)
        assert story.due is not None
        story.hears(Due())
    assert story.sent == [Forward(0), *[Bar()] * 21]
    assert story.state.parked == frozenset()


def test_bar_that_loses_to_the_pivot_goes_forward_from_the_first_answer_unknown() -> None:
    story = Story().fails(ROOM, CAR).hears(CancelRequested(), PivotFoundDone())
    assert story.sent == [Forward(0), Bar(), Forward(1)]
    assert (story.state.phase, story.state.failure) == (Phase.FINISHING, None)
    story.hears(ChainCompleted(at_noon(ROOM, SEAT, TICKET, MILES, ITINERARY)))
    assert story.state.phase is Phase.COMPLETED


def test_chain_that_ends_before_the_bar_completes_the_saga() -> None:
    story = Story().hears(DeadlinePassed(), ChainCompleted(at_noon(*ALL)))
    assert (story.state.phase, story.state.failure) == (Phase.COMPLETED, None)
    story.ignores(PivotFoundDone(), DeadlinePassed(), Due())


def test_cancel_twice_changes_nothing_more() -> None:
    story = Story().hears(CancelRequested()).ignores(CancelRequested(), DeadlinePassed())
    story.hears(PivotBarred()).ignores(CancelRequested(), DeadlinePassed())
    story.hears(StepsUndone(at_noon(*BACK))).ignores(CancelRequested(), DeadlinePassed())


@pytest.mark.parametrize("story_so_far", [finishing, completed])
def test_cancel_after_the_pivot_is_too_late(story_so_far: Callable[[], Story]) -> None:
    story = story_so_far()
    with pytest.raises(TooLate, match="no way back"):
        story.hears(CancelRequested())
    story.ignores(DeadlinePassed())
