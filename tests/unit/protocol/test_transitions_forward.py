"""Stories of sagas on their way forward: completed, refused, failed and tried again."""

from datetime import timedelta

import pytest

from orchestration.protocol.events import CancelRequested, ChainCompleted, Due, PivotBarred, StepRefused, StepsUndone
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Bar, Forward, Kind, Phase, Undo
from tests.unit.protocol.stories import (
    CAR,
    ITINERARY,
    MILES,
    NO,
    NOON,
    RESUMED,
    ROOM,
    SAGAS,
    SEAT,
    TICKET,
    Story,
    at_noon,
    backwards,
    names,
)


@pytest.mark.parametrize("saga", SAGAS, ids=lambda saga: saga.name)
def test_saga_whose_steps_are_all_done_is_completed(saga: Saga) -> None:
    story = Story(saga).hears(ChainCompleted(at_noon(*names(saga))))
    assert story.sent == [Forward(0)]
    assert story.state.phase is Phase.COMPLETED
    assert story.kinds == [Kind.DONE] * len(saga.steps) + [Kind.COMPLETED]
    assert [entry.at for entry in story.log[:-1]] == [NOON] * len(saga.steps)
    assert story.due is None


@pytest.mark.parametrize(
    ("saga", "position"),
    [(saga, position) for saga in SAGAS for position in range(saga.pivot_position)],
    ids=lambda value: getattr(value, "name", value),
)
def test_refused_step_has_the_others_compensated_at_once(saga: Saga, position: int) -> None:
    refused, passed = names(saga)[position], names(saga)[:position]
    others = tuple(step for step in backwards(saga) if step != refused)
    story = Story(saga).is_refused(refused, *passed)
    assert story.sent == [Forward(0), Undo(others)]
    story.hears(StepsUndone(at_noon(*others)))
    assert story.state.phase is Phase.COMPENSATED
    assert story.state.failure == {"code": "none_left", "detail": "There are none left.", "refused": refused}
    assert len(story.sent) == 2


@pytest.mark.parametrize("saga", SAGAS, ids=lambda saga: saga.name)
def test_refused_pivot_has_every_step_before_it_compensated(saga: Saga) -> None:
    story = Story(saga).is_refused(saga.pivot.name, *names(saga)[: saga.pivot_position])
    assert story.sent == [Forward(0), Undo(backwards(saga))]
    story.hears(StepsUndone(at_noon(*backwards(saga))))
    assert story.state.phase is Phase.COMPENSATED


def test_refusal_while_the_bar_is_on_its_way_compensates_at_once_and_keeps_the_first_reason() -> None:
    story = Story().hears(CancelRequested()).is_refused(ROOM, CAR)
    assert story.sent == [Forward(0), Bar(), Undo((SEAT, CAR))]
    assert story.state.failure == {"code": "cancelled", "detail": "It was cancelled.", "refused": ROOM}
    story.ignores(PivotBarred()).hears(StepsUndone(at_noon(SEAT, CAR)))
    assert story.state.phase is Phase.COMPENSATED


def test_refusal_after_the_pivot_is_parked_and_never_undone() -> None:
    story = Story().is_refused(ITINERARY, CAR, ROOM, SEAT, TICKET, MILES)
    assert story.sent == [Forward(0)]
    assert (story.state.phase, story.state.parked, story.due) == (Phase.FINISHING, frozenset({ITINERARY}), None)
    assert Kind.PARKED in story.kinds
    story.ignores(Due(), StepRefused(ITINERARY, NO))
    story.hears(RESUMED)
    assert story.sent == [Forward(0), Forward(5)]


def test_failed_step_is_tried_again_from_there_when_due() -> None:
    story = Story().fails(ROOM, CAR)
    assert (story.sent, story.due) == ([Forward(0)], timedelta(seconds=0.5))
    story.hears(Due())
    assert story.sent == [Forward(0), Forward(1)]
    assert (story.state.token, story.state.in_flight) == (2, True)
    story.hears(ChainCompleted(at_noon(ROOM, SEAT, TICKET, MILES, ITINERARY)))
    assert story.state.phase is Phase.COMPLETED


def test_wait_doubles_with_every_failure_in_a_row() -> None:
    story = Story()
    waits = []
    for _ in range(4):
        story.fails(SEAT, CAR, ROOM)
        waits.append(story.due)
        story.hears(Due())
    assert waits == [timedelta(seconds=seconds) for seconds in (2, 4, 8, 16)]


def test_failures_without_a_limit_never_give_up_before_the_deadline() -> None:
    story = Story()
    for _ in range(50):
        story.fails(SEAT, CAR, ROOM).hears(Due())
    assert story.state.phase is Phase.RUNNING
    assert story.state.failures == {SEAT: 50}


def test_last_attempt_that_fails_bars_the_pivot() -> None:
    story = Story().fails(ROOM, CAR).hears(Due()).fails(ROOM).hears(Due()).fails(ROOM)
    assert story.sent == [Forward(0), Forward(1), Forward(1), Bar()]
    assert story.state.failure == {"code": "step_failed", "detail": "book_room failed."}
    assert story.kinds.count(Kind.FAILED) == 3


def test_permanent_failure_bars_the_pivot_at_once() -> None:
    story = Story().fails(SEAT, CAR, ROOM, permanent=True)
    assert story.sent == [Forward(0), Bar()]


def test_open_breaker_is_waited_for_and_is_no_attempt() -> None:
    story = Story()
    for _ in range(5):
        story.fails(ROOM, CAR, until=NOON)
        assert story.due == NOON + timedelta(seconds=0.5)  # spread, or all who wait would come at once
        story.hears(Due())
    assert story.state.phase is Phase.RUNNING
    assert story.state.failures == {}
    assert story.kinds.count(Kind.WAITING) == 5


def test_open_breaker_does_not_use_up_the_last_attempt() -> None:
    story = Story().fails(ROOM, CAR).hears(Due()).fails(ROOM).hears(Due()).fails(ROOM, until=NOON)
    assert story.state.phase is Phase.RUNNING


def test_lost_message_is_sent_again_and_the_next_one_is_waited_for_longer() -> None:
    story = Story()
    waits = []
    for _ in range(3):
        story.hears(Due(lost=True))
        waits.append(story.due)
    assert story.sent == [Forward(0)] * 4
    assert waits == [timedelta(seconds=seconds) for seconds in (1, 2, 4)]
    assert story.log[-1].detail == {"what": "forward", "lost": True}
