"""What a saga's row says of what goes wrong, as stories: what was decided, and what is wrong then."""

import pytest

from orchestration.protocol.failure_summary import BROKER, FailureSummary
from orchestration.protocol.states import Entry, Kind, Phase, State

BACKING_OFF = State(phase=Phase.COMPENSATING, backing_off=frozenset({"pay"}))
TIMEOUT = {"class": "GatewayTimeout", "message": "no answer"}
OPEN = {"class": "BreakerOpen"}


def failed(step: str) -> Entry:
    return Entry(Kind.FAILED, step, TIMEOUT)


def waiting(step: str) -> Entry:
    return Entry(Kind.WAITING, step, OPEN)


def after(*entries: Entry, state: State | None = None) -> FailureSummary:
    return FailureSummary().after(entries, state or State())


def test_a_failed_try_is_remembered_by_step() -> None:
    assert after(failed("pay")) == FailureSummary({"pay": "GatewayTimeout"}, last="GatewayTimeout")


def test_a_step_that_waits_has_been_tried_no_more_often_and_shows_what_it_failed_by() -> None:
    state = State(failures={"pay": 2})
    summary = after(failed("pay"), waiting("pay"), state=state)
    assert summary.waiting == {"pay"}
    assert summary.columns(state) == {
        "failing_step": "pay",
        "failed_tries": 2,
        "last_error": "GatewayTimeout",
        "waits": True,
    }


def test_what_is_sent_again_waits_no_longer_and_is_failing_still() -> None:
    summary = after(waiting("pay"), Entry(Kind.SENT))
    assert (summary.waiting, set(summary.errors)) == (frozenset(), {"pay"})


def test_what_is_held_goes_on_waiting_while_others_are_sent() -> None:
    assert after(waiting("pay"), Entry(Kind.SENT), state=BACKING_OFF).waiting == {"pay"}


@pytest.mark.parametrize("kind", [Kind.DONE, Kind.UNDONE])
def test_a_step_that_is_behind_fails_no_more_and_its_error_is_the_last(kind: Kind) -> None:
    assert after(waiting("pay"), failed("ship"), Entry(kind, "ship")) == FailureSummary(
        {"pay": "BreakerOpen"}, frozenset({"pay"}), "GatewayTimeout"
    )


@pytest.mark.parametrize("kind", [Kind.GAVE_UP, Kind.PIVOT_BARRED, Kind.PIVOT_DONE, Kind.RESUMED, Kind.COMPENSATED])
def test_in_a_new_phase_nothing_is_failing_yet(kind: Kind) -> None:
    assert after(waiting("pay"), Entry(kind, detail={"code": "cancelled"})) == FailureSummary(last="BreakerOpen")


def test_why_it_was_given_up_is_the_error_when_there_was_none() -> None:
    assert after(Entry(Kind.GAVE_UP, detail={"code": "cancelled"})).last == "cancelled"


def test_a_refusal_is_the_last_error_whatever_was_before() -> None:
    assert after(failed("pay"), Entry(Kind.REFUSED, "pay", {"code": "card_declined"})).last == "card_declined"


def test_of_several_failing_steps_the_parked_one_is_shown() -> None:
    state = State(parked=frozenset({"ship"}), failures={"ship": 60, "pay": 1})
    summary = after(failed("ship"), waiting("pay"), state=state)
    shown = summary.columns(state)
    assert (shown["failing_step"], shown["failed_tries"], shown["last_error"]) == ("ship", 60, "GatewayTimeout")


def test_what_the_broker_did_not_take_waits_for_it_until_it_is_sent() -> None:
    undelivered = after(failed("pay")).without_broker()
    assert undelivered.waiting == {BROKER}
    assert undelivered.after([Entry(Kind.SENT)], State()).waiting == frozenset()


def test_a_saga_that_goes_well_says_nothing() -> None:
    well = after(Entry(Kind.STARTED), Entry(Kind.DONE, "pay"), Entry(Kind.COMPLETED))
    assert well.progress() == {}
    assert well.columns(State()) == {"failing_step": "", "failed_tries": 0, "last_error": "", "waits": False}
