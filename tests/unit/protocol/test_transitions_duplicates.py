"""Stories of reports that come twice, late, out of order, or cannot be true."""

from collections.abc import Callable

import pytest

from orchestration.protocol.events import (
    ChainCompleted,
    DeadlinePassed,
    Due,
    Event,
    PivotBarred,
    PivotFoundDone,
    StepFailed,
    StepRefused,
    StepsUndone,
)
from orchestration.protocol.states import Kind
from orchestration.protocol.transitions import Contradiction
from tests.unit.protocol.stories import (
    ALL,
    BACK,
    BROKE,
    CAR,
    MILES,
    NO,
    RESUMED,
    ROOM,
    SEAT,
    TICKET,
    Story,
    at_noon,
    compensated,
    compensating,
    completed,
    finishing,
)


def test_failure_reported_twice_counts_once() -> None:
    story = Story()
    report = story.failure(ROOM, CAR)
    story.hears(report).ignores(report)
    assert story.state.failures == {ROOM: 1}


def test_failure_of_an_older_dispatch_is_ignored() -> None:
    story = Story().hears(Due(lost=True))
    story.ignores(story.failure(ROOM, CAR, token=1))


def test_failure_of_the_chain_is_ignored_once_the_saga_gave_up() -> None:
    story = Story()
    report = story.failure(ROOM, CAR)
    story.hears(DeadlinePassed()).ignores(report)


def test_failed_compensation_of_an_older_dispatch_is_ignored() -> None:
    story = compensating()
    report = story.failure(ROOM)
    story.hears(report).ignores(report)


@pytest.mark.parametrize("refused", [CAR, ROOM, SEAT, TICKET])
def test_refusal_heard_twice_changes_nothing_more(refused: str) -> None:
    report = StepRefused(refused, NO)
    story = Story().hears(report).ignores(report)
    story.hears(StepsUndone(at_noon(*BACK))).ignores(report)


def test_bar_heard_twice_changes_nothing_more() -> None:
    story = compensating().ignores(PivotBarred())
    story.hears(StepsUndone(at_noon(*BACK))).ignores(PivotBarred())


def test_pivot_found_done_twice_changes_nothing_more() -> None:
    finishing().ignores(PivotFoundDone()).hears(ChainCompleted(at_noon(*ALL))).ignores(PivotFoundDone())


def test_completion_heard_twice_changes_nothing_more() -> None:
    report = ChainCompleted(at_noon(*ALL))
    Story().hears(report).ignores(report)


def test_undone_steps_heard_twice_are_logged_once() -> None:
    report = StepsUndone(at_noon(SEAT))
    story = compensating().hears(report).ignores(report)
    assert story.kinds.count(Kind.UNDONE) == 1
    story.hears(StepsUndone(at_noon(*BACK))).ignores(report)
    assert story.kinds.count(Kind.UNDONE) == 3


def test_answer_known_already_is_not_logged_again() -> None:
    story = Story().fails(ROOM, CAR).hears(Due()).fails(ROOM, CAR)
    assert [entry.step for entry in story.log if entry.kind is Kind.DONE] == [CAR]


@pytest.mark.parametrize("story_so_far", [completed, compensated])
def test_ended_saga_owes_nothing_to_recovery_or_operators(story_so_far: Callable[[], Story]) -> None:
    ended = story_so_far()
    ended.ignores(Due(), Due(lost=True), RESUMED, DeadlinePassed())
    ended.ignores(*(ended.failure(step) for step in ALL))


@pytest.mark.parametrize(
    ("story_so_far", "event", "said"),
    [
        (Story, PivotBarred(), "the pivot is barred although the saga is running"),
        (Story, PivotFoundDone(), "the pivot is done although the saga is running"),
        (Story, StepsUndone(at_noon(CAR)), "steps are undone although the saga is running"),
        (Story, ChainCompleted(at_noon(CAR)), "completed without book_room, hold_seat"),
        (finishing, StepRefused(ROOM, NO), "book_room is refused although the saga is finishing"),
        (finishing, PivotBarred(), "the pivot is barred although the saga is finishing"),
        (finishing, StepsUndone(at_noon(CAR)), "steps are undone although the saga is finishing"),
        (compensating, PivotFoundDone(), "the pivot is done although the saga is compensating"),
        (compensating, ChainCompleted(at_noon(*ALL)), "completed although the saga is compensating"),
        (compensating, StepRefused(MILES, NO), "award_miles is refused although the saga is compensating"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_report_that_the_protocol_rules_out_is_a_contradiction(
    story_so_far: Callable[[], Story], event: Event, said: str
) -> None:
    with pytest.raises(Contradiction, match=said):
        story_so_far().hears(event)


@pytest.mark.parametrize("step", ALL)
def test_refusal_after_completion_is_a_contradiction(step: str) -> None:
    with pytest.raises(Contradiction, match=f"{step} is refused although the saga is completed"):
        Story().hears(ChainCompleted(at_noon(*ALL)), StepRefused(step, NO))


def test_report_of_a_step_that_the_saga_lacks_is_an_error() -> None:
    with pytest.raises(KeyError):
        Story().hears(StepFailed("paint_car", Story().failure(CAR).operation, 1, BROKE))
