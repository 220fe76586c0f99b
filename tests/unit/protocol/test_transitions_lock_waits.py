"""Stories of sagas that wait for a lock: a wait is no failure, and it ends when the saga does not wait any more."""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest

from orchestration.contracts.command import Action, Compensation, Lock
from orchestration.protocol.events import (
    CancelRequested,
    ChainCompleted,
    CompletedSteps,
    DeadlinePassed,
    Due,
    LockGranted,
    Retried,
    StepWaits,
)
from orchestration.protocol.failure_summary import FailureSummary
from orchestration.protocol.lock_waits import ASK_AGAIN_WITHIN
from orchestration.protocol.saga import Pivot, Retry, Saga, Step
from orchestration.protocol.states import Bar, Entry, Forward, Kind, LockWait, Phase, Undo
from orchestration.protocol.transitions import Contradiction, decide
from tests.unit.protocol.stories import HALF, NO, NOON, PAUSED, UNPAUSED, Story, at_noon

HOLDER, NEXT_HOLDER = UUID(int=7), UUID(int=8)
PARCEL, KEY, OPEN, GO, CLOSE = "weigh_parcel", "take_key", "open_box", "send_box", "return_key"


@dataclass(frozen=True)
class BoxWanted:
    saga_id: UUID
    box: str


@dataclass(frozen=True)
class BoxRequested:
    box: str


WEIGHED = at_noon(PARCEL)
BOX = Lock("box", by="box", patience=timedelta(seconds=30))
weigh = Action("boxes.weigh_parcel", request=BoxWanted)
take_key = Action("boxes.take_key", request=BoxWanted, holds=BOX)
open_box = Action("boxes.open_box", request=BoxWanted)
saga = Saga(
    "box.v1",
    request=BoxRequested,
    deadline=timedelta(minutes=5),
    steps=(
        Step(weigh, Compensation("boxes.unweigh_parcel", request=BoxWanted, undoes=weigh)),
        Step(take_key, Compensation("boxes.drop_key", request=BoxWanted, undoes=take_key), Retry(attempts=3)),
        Step(open_box, Compensation("boxes.close_box", request=BoxWanted, undoes=open_box)),
        Pivot(Action("boxes.send_box", request=BoxWanted)),
        Step(Action("boxes.return_key", request=BoxWanted, releases=BOX)),
    ),
)


def wait(token: int = 1, holder: UUID = HOLDER, step: str = KEY, passed: CompletedSteps = WEIGHED) -> StepWaits:
    return StepWaits(step, token, "box:12", holder, before=2, since=NOON, done=passed)


def waiting() -> Story:
    return Story(saga).hears(wait())


def test_waiting_saga_names_lock_and_holder_and_asks_again_at_the_latest_when_its_patience_is_over() -> None:
    decision = decide(saga, Story(saga).state, wait(), jitter=HALF)

    assert decision is not None
    assert decision.state.wait == LockWait(KEY, "box:12", HOLDER, NOON)
    assert (decision.state.phase, decision.state.in_flight, decision.command) == (Phase.RUNNING, False, None)
    assert (decision.due, decision.latest) == (ASK_AGAIN_WITHIN / 2, NOON + BOX.patience)
    assert decision.entries == (
        Entry(Kind.DONE, PARCEL, at=NOON),
        Entry(Kind.QUEUED, KEY, {"resource": "box:12", "holder": str(HOLDER), "before": 2}),
    )


def test_wait_is_neither_a_failure_nor_an_attempt() -> None:
    story = Story(saga).fails(KEY, PARCEL).hears(Due()).fails(KEY).hears(Due(), wait(token=3))

    assert story.state.failures == {}
    summary = FailureSummary().after(story.log, story.state)
    assert (summary.errors, summary.waiting) == ({}, frozenset())
    columns = summary.columns(story.state)
    assert (columns["failing_step"], columns["failed_tries"], columns["waits"]) == ("", 0, True)
    assert story.hears(Due()).fails(KEY).hears(Due()).fails(KEY).state.phase is Phase.RUNNING


def test_saga_still_waits_while_it_asks_again() -> None:
    story = waiting().hears(Due())

    assert (story.sent[-1], story.state.wait) == (Forward(1), LockWait(KEY, "box:12", HOLDER, NOON))


def test_wait_is_logged_again_only_when_the_holder_changed() -> None:
    story = waiting().hears(Due(), wait(token=2), Due(), wait(token=3))
    assert story.kinds.count(Kind.QUEUED) == 1

    story.hears(Due(), wait(token=4, holder=NEXT_HOLDER))
    assert story.kinds.count(Kind.QUEUED) == 2
    assert story.state.wait is not None
    assert story.state.wait.holder == NEXT_HOLDER


def test_wait_is_accepted_only_of_the_newest_dispatch_and_only_once() -> None:
    story = Story(saga).hears(Due(lost=True)).ignores(wait(token=1))
    story.hears(wait(token=2)).ignores(wait(token=2, holder=NEXT_HOLDER))


def test_wait_of_a_step_that_takes_no_lock_is_impossible() -> None:
    with pytest.raises(Contradiction, match="weigh_parcel waits for box:12 although it takes no lock"):
        decide(saga, Story(saga).state, wait(step=PARCEL, passed=()), jitter=HALF)


def test_granted_lock_sends_the_waiting_step_at_once() -> None:
    story = waiting().hears(LockGranted(KEY))

    assert (story.sent[-1], story.state.in_flight, story.kinds[-1]) == (Forward(1), True, Kind.SENT)


def test_grant_changes_nothing_unless_the_saga_waits_for_that_step() -> None:
    Story(saga).ignores(LockGranted(KEY))
    waiting().ignores(LockGranted(OPEN))
    waiting().hears(CancelRequested()).ignores(LockGranted(KEY))


def test_grant_changes_nothing_while_the_saga_asks_for_the_lock() -> None:
    waiting().hears(Due()).ignores(LockGranted(KEY))


def test_paused_saga_keeps_its_wait_and_is_sent_nothing_until_it_is_unpaused() -> None:
    story = waiting().hears(PAUSED)
    assert (story.state.wait, story.due) == (LockWait(KEY, "box:12", HOLDER, NOON), None)

    story.ignores(LockGranted(KEY), Due(), DeadlinePassed())
    assert story.hears(UNPAUSED).due == timedelta(0)
    assert story.hears(Due()).sent[-1] == Forward(1)


def test_wait_that_a_paused_saga_is_told_of_schedules_nothing() -> None:
    decision = decide(saga, Story(saga).hears(PAUSED).state, wait(), jitter=HALF)

    assert decision is not None
    assert (decision.due, decision.latest, decision.state.in_flight) == (None, None, False)
    assert decision.state.wait is not None


@pytest.mark.parametrize("event", [CancelRequested(), DeadlinePassed()])
def test_saga_that_is_given_up_waits_no_more(event: CancelRequested | DeadlinePassed) -> None:
    story = waiting().hears(event)

    assert (story.sent[-1], story.state.wait) == (Bar(), None)


def test_saga_whose_patience_is_over_compensates_and_waits_no_more() -> None:
    story = waiting().hears(Due()).is_refused(KEY)

    assert (story.sent[-1], story.state.wait) == (Undo((OPEN, PARCEL)), None)
    assert story.state.failure == {"code": NO["code"], "detail": NO["detail"], "refused": KEY}


def test_failure_of_the_step_ends_its_wait_because_the_reason_is_another_one() -> None:
    assert waiting().hears(Due()).fails(KEY).state.wait is None


def test_step_that_is_done_waits_no_more() -> None:
    story = waiting().hears(Due()).fails(OPEN, KEY)
    assert story.state.wait is None
    assert story.state.done == {PARCEL, KEY}

    ended = waiting().hears(ChainCompleted(at_noon(PARCEL, KEY, OPEN, GO, CLOSE)))
    assert (ended.state.phase, ended.state.wait) == (Phase.COMPLETED, None)


def test_retry_of_an_operator_asks_for_the_lock_now() -> None:
    story = waiting().hears(Retried("ada", "the holder has ended"))

    assert (story.sent[-1], story.kinds[-2:]) == (Forward(1), [Kind.RETRIED, Kind.SENT])


def test_saga_that_gets_one_lock_may_wait_for_the_next() -> None:
    first = waiting().hears(Due())
    second = replace(wait(token=2, holder=NEXT_HOLDER, passed=at_noon(KEY)), step=OPEN)
    two_locks = replace(
        saga,
        steps=(
            *saga.steps[:2],
            Step(
                lid := replace(open_box, holds=Lock("lid", by="box")),
                Compensation("boxes.close_box", request=BoxWanted, undoes=lid),
            ),
            *saga.steps[3:],
            Step(Action("boxes.return_lid", request=BoxWanted, releases=Lock("lid", by="box"))),
        ),
    )
    story = Story(two_locks, first.state).hears(second)

    assert story.state.wait == LockWait(OPEN, "box:12", NEXT_HOLDER, NOON)
    assert story.state.done == {PARCEL, KEY}
